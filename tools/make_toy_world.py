"""The command `mmseg-excel make-toy-world`, from a checkout."""

import sys
from functools import partial

from mmseg_excel.command_line import run

main = partial(run, 'make_toy_world')

if __name__ == '__main__':
    sys.exit(main())
