"""Draw the masks of MS COCO 2014 and write its tags and lists."""

from __future__ import annotations

import argparse
import os
import sys

from mmseg_excel.datasets.prepare.coco import COCO_URLS, prepare_coco
from mmseg_excel.utils.arguments import Parser, workers
from mmseg_excel.utils.cli import bad_input_exits


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, epilog=f'COCO 2014: {COCO_URLS}')
    parser.add_argument('root', nargs='?', default='data/coco')
    parser.add_argument('--splits', nargs='+', choices=('train', 'val'), default=('train', 'val'))
    parser.add_argument('--workers', type=workers, default=os.cpu_count())
    parser.add_argument(
        '--any-size', action='store_true', help="accept files that are not COCO 2014's own size"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    with bad_input_exits():
        counts = prepare_coco(
            args.root, splits=args.splits, workers=args.workers, any_size=args.any_size
        )
        for split, count in counts.items():
            print(f'{split:6} {count:6}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
