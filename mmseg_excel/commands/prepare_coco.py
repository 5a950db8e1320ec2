"""Draw the masks of MS COCO 2014 and write its tags and lists."""

from __future__ import annotations

import argparse

from ..datasets.prepare.coco import prepare_coco
from ..utils.cli import bad_input_exits


def run(args: argparse.Namespace) -> int:
    with bad_input_exits():
        counts = prepare_coco(
            args.root, splits=args.splits, workers=args.workers, any_size=args.any_size
        )
        for split, count in counts.items():
            print(f'{split:6} {count:6}')
    return 0
