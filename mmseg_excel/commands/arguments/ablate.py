"""Fill tables of the paper: run what is missing, resume what was killed, print what is there.

Examples:
  mmseg-excel ablate configs/ablations/table_1c.py
  mmseg-excel ablate configs/ablations/*.py --seeds 0 1 2 --devices cuda:0 cuda:1
  mmseg-excel ablate configs/ablations/*.py --base configs/excel_toy.py --training-free
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ...utils.arguments import (
    Parser,
    add_config_options,
    output_folder,
    seed,
)

CONFIGS = Path(__file__).parents[2] / 'configs'


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('tables', nargs='+', help='tables of configs/ablations')
    parser.add_argument(
        '--base',
        default=str(CONFIGS / 'excel_voc.py'),
        help='config whose settings the tables change (default: configs/excel_voc.py)',
    )
    parser.add_argument(
        '--seeds',
        nargs='+',
        type=seed,
        default=[0],
        help='each training is repeated with each; several give a standard deviation (default: 0)',
    )
    parser.add_argument(
        '--devices',
        nargs='+',
        help='one run at a time on each; name one twice for two (default: all GPUs, or cpu)',
    )
    parser.add_argument(
        '--training-free', action='store_true', help='only the columns that need no training'
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='run nothing: list what is missing, print the rest'
    )
    parser.add_argument(
        '--work-dir',
        type=output_folder,
        help='folder of runs, results.json, tables.md and tables.tex '
        '(default: work_dirs/ablations/BASE)',
    )
    add_config_options(parser)
    args = parser.parse_args(argv)
    if len(set(args.seeds)) < len(args.seeds):
        parser.error(f'--seeds names one twice: {" ".join(map(str, args.seeds))}')
    args.work_dir = Path(args.work_dir or Path('work_dirs/ablations') / Path(args.base).stem)
    return args
