"""The command `mmseg-excel inspect-text`, from a checkout."""

import sys
from functools import partial

from mmseg_excel.command_line import run

main = partial(run, 'inspect_text')

if __name__ == '__main__':
    sys.exit(main())
