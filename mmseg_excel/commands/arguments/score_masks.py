"""Score masks that are already files, such as pseudo labels, against true masks."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from ...utils.arguments import (
    Parser,
    named_folder,
    output_folder,
    workers,
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument('predictions', type=Path, help='folder of the masks to score')
    parser.add_argument('truths', type=Path, help='folder of the true masks')
    parser.add_argument('--list', help='file that names the images (default: all predictions)')
    parser.add_argument(
        '--classes',
        default='voc',
        help='voc (default), coco, toy or a .txt file, one class name a line, no background',
    )
    parser.add_argument(
        '--no-background',
        action='store_true',
        help='in the true masks, 0 is the first class and not background',
    )
    parser.add_argument('--name', default='ours', help='what their row is called (default: ours)')
    parser.add_argument(
        '--compare',
        nargs='+',
        type=named_folder,
        default=[],
        metavar='NAME=FOLDER',
        help='further folders of masks, a row each',
    )
    parser.add_argument('--published', help='published rows to stand beside ours: voc_val')
    parser.add_argument(
        '--table-dir', type=output_folder, help='folder for the scores as CSV, LaTeX and JSON'
    )
    parser.add_argument('--workers', type=workers, default=os.cpu_count())
    return parser.parse_args(argv)
