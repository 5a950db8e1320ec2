"""The command `mmseg-excel generate-descriptions`, from a checkout."""

import sys
from functools import partial

from mmseg_excel.command_line import run

main = partial(run, 'generate_descriptions')

if __name__ == '__main__':
    sys.exit(main())
