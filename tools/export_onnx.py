"""The command `mmseg-excel export-onnx`, from a checkout."""

import sys
from functools import partial

from mmseg_excel.command_line import run

main = partial(run, 'export_onnx')

if __name__ == '__main__':
    sys.exit(main())
