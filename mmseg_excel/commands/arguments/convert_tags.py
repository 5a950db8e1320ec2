"""Convert a one-hot tag dictionary (cls_labels_onehot.npy) to a table that training can read."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ...utils.arguments import (
    Parser,
    output_file,
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument('source', help='the .npy file')
    parser.add_argument('target', type=output_file, help='the table to write, .json')
    parser.add_argument(
        '--classes',
        default='voc',
        help='order of the vectors: voc (default), coco, toy or a .txt file, one class name a line',
    )
    return parser.parse_args(argv)
