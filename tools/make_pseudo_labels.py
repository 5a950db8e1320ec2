"""The command `mmseg-excel make-pseudo-labels`, from a checkout."""

import sys
from functools import partial

from mmseg_excel.command_line import run

main = partial(run, 'make_pseudo_labels')

if __name__ == '__main__':
    sys.exit(main())
