"""The command `mmseg-excel train-toy-clip`, from a checkout."""

import sys
from functools import partial

from mmseg_excel.command_line import run

main = partial(run, 'train_toy_clip')

if __name__ == '__main__':
    sys.exit(main())
