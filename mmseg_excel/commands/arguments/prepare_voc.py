"""Check PASCAL VOC 2012 and write what the original download lacks: train_aug, its masks, tags."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from ...utils.arguments import (
    Parser,
    workers,
)
from ...utils.downloads import SBD_URL, VOC_URL


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, epilog=f'VOC 2012: {VOC_URL}   SBD: {SBD_URL}')
    parser.add_argument('root', nargs='?', default='data/VOCdevkit/VOC2012')
    parser.add_argument('--sbd', help="SBD's benchmark_RELEASE/dataset, for train_aug")
    parser.add_argument(
        '--tags',
        choices=('xml', 'mask'),
        default='xml',
        help='where tags.json takes image tags from (default: the XML annotations)',
    )
    parser.add_argument('--workers', type=workers, default=os.cpu_count())
    parser.add_argument(
        '--any-size', action='store_true', help="accept lists that are not VOC 2012's own size"
    )
    return parser.parse_args(argv)
