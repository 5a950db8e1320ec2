"""The command `mmseg-excel prepare-voc`, from a checkout."""

import sys
from functools import partial

from mmseg_excel.command_line import run

main = partial(run, 'prepare_voc')

if __name__ == '__main__':
    sys.exit(main())
