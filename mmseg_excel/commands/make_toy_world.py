"""Draw a toy world and write it in the layout of PASCAL VOC 2012."""

from __future__ import annotations

import argparse

from ..datasets.toy.voc_layout import write_voc_layout
from ..utils.cli import bad_input_exits


def run(args: argparse.Namespace) -> None:
    with bad_input_exits():
        folder = write_voc_layout(args.out, args.train, args.val, args.size, args.seed)
        print(f'{folder}: {args.train} training and {args.val} validation scenes')
