"""Build the toy world, train ExCEL on its tags, test it, and show what it learnt."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ...utils.arguments import (
    Parser,
    output_folder,
    seed,
    whole_number,
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument('--work-dir', type=output_folder, default='work_dirs/demo')
    parser.add_argument('--data-root', type=output_folder, default='data/toy')
    parser.add_argument('--seed', type=seed, default=0, help='of the world and of the training')
    parser.add_argument('--panel-images', type=whole_number('[1, 100]'), default=6)
    args = parser.parse_args(argv)
    args.work_dir, args.data_root = Path(args.work_dir), Path(args.data_root)
    return args
