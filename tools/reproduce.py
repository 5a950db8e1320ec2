"""The command `mmseg-excel reproduce`, from a checkout."""

import sys
from functools import partial

from mmseg_excel.command_line import run

main = partial(run, 'reproduce')

if __name__ == '__main__':
    sys.exit(main())
