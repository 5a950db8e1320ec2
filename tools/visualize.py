"""The command `mmseg-excel visualize`, from a checkout."""

import sys
from functools import partial

from mmseg_excel.command_line import run

main = partial(run, 'visualize')

if __name__ == '__main__':
    sys.exit(main())
