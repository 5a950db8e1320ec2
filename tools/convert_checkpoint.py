"""The command `mmseg-excel convert-checkpoint`, from a checkout."""

import sys
from functools import partial

from mmseg_excel.command_line import run

main = partial(run, 'convert_checkpoint')

if __name__ == '__main__':
    sys.exit(main())
