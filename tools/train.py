"""The command `mmseg-excel train`, from a checkout."""

import sys
from functools import partial

from mmseg_excel.command_line import run

main = partial(run, 'train')

if __name__ == '__main__':
    sys.exit(main())
