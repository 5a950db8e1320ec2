"""Draw the masks of MS COCO 2014 and write its tags and lists."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from ...utils.arguments import (
    Parser,
    workers,
)
from ...utils.downloads import COCO_URLS


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, epilog=f'COCO 2014: {COCO_URLS}')
    parser.add_argument('root', nargs='?', default='data/coco')
    parser.add_argument('--splits', nargs='+', choices=('train', 'val'), default=('train', 'val'))
    parser.add_argument('--workers', type=workers, default=os.cpu_count())
    parser.add_argument(
        '--any-size', action='store_true', help="accept files that are not COCO 2014's own size"
    )
    return parser.parse_args(argv)
