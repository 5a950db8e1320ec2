"""Check PASCAL VOC 2012 and write what the original download lacks: train_aug, its masks, tags."""

from __future__ import annotations

import argparse

from ..datasets.prepare.voc import prepare_voc
from ..datasets.prepare.voc_folders import SBD_URL
from ..utils.cli import bad_input_exits


def run(args: argparse.Namespace) -> int:
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
