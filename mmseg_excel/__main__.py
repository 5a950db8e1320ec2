"""``python -m mmseg_excel COMMAND ...``, where the console command is not on the path."""

import sys

from .command_line import main

if __name__ == '__main__':
    sys.exit(main())
