"""Draw a toy world and write it in the layout of PASCAL VOC 2012.

Example: mmseg-excel make-toy-world data/toy
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ...utils.arguments import (
    Parser,
    output_folder,
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument('out', type=output_folder, help='folder that will hold VOC2012')
    parser.add_argument('--train', type=int, default=600, help='training scenes (default: 600)')
    parser.add_argument('--val', type=int, default=100, help='validation scenes (default: 100)')
    parser.add_argument('--size', type=int, default=64, help='side in pixels (default: 64)')
    parser.add_argument('--seed', type=int, default=0, help='seed of the world (default: 0)')
    return parser.parse_args(argv)
