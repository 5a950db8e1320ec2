"""The command `mmseg-excel build-attributes`, from a checkout."""

import sys
from functools import partial

from mmseg_excel.command_line import run

main = partial(run, 'build_attributes')

if __name__ == '__main__':
    sys.exit(main())
