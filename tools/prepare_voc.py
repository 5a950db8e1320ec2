"""Check PASCAL VOC 2012 and write what the original download lacks: train_aug, its masks, tags."""

from __future__ import annotations

import argparse
import os
import sys

from mmseg_excel.datasets.prepare.voc import prepare_voc
from mmseg_excel.datasets.prepare.voc_folders import SBD_URL, VOC_URL
from mmseg_excel.utils.arguments import Parser, workers
from mmseg_excel.utils.cli import bad_input_exits


def parse_args(argv: list[str] | None) -> argparse.Namespace:
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


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    with bad_input_exits():
        counts = prepare_voc(
            args.root,
            sbd=args.sbd,
            tags=args.tags,
            workers=args.workers,
            any_size=args.any_size,
        )
        for name, count in counts.items():
            print(f'{name:10} {count:6}')
        if 'train_aug' not in counts:
            print(f'No train_aug.txt: it needs SBD, --sbd DIR ({SBD_URL}).')
        if 'test' not in counts:
            print('No test.txt: the test images come from the VOC evaluation server.')
    return 0


if __name__ == '__main__':
    sys.exit(main())
