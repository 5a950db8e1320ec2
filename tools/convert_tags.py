"""The command `mmseg-excel convert-tags`, from a checkout."""

import sys
from functools import partial

from mmseg_excel.command_line import run

main = partial(run, 'convert_tags')

if __name__ == '__main__':
    sys.exit(main())
