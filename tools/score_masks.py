"""The command `mmseg-excel score-masks`, from a checkout."""

import sys
from functools import partial

from mmseg_excel.command_line import run

main = partial(run, 'score_masks')

if __name__ == '__main__':
    sys.exit(main())
