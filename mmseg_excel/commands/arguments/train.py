"""Train a segmentor on image tags.

Example: mmseg-excel train configs/excel_voc.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ...utils.arguments import (
    Parser,
    add_runner_arguments,
    seed,
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, or the name of a packaged recipe')
    parser.add_argument(
        '--resume',
        action='store_true',
        help='go on from the newest intact checkpoint in the work dir',
    )
    parser.add_argument('--amp', action='store_true', help='train with automatic mixed precision')
    parser.add_argument('--seed', type=seed, help="of everything random (default: the config's)")
    parser.add_argument(
        '--deterministic',
        action='store_true',
        help='algorithms that give the same bits every time on the same machine',
    )
    add_runner_arguments(parser)
    return parser.parse_args(argv)
