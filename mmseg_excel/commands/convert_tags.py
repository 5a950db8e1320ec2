"""Convert a one-hot tag dictionary (cls_labels_onehot.npy) to a table that training can read."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..datasets.class_names import class_names
from ..datasets.prepare.one_hot import read_one_hot
from ..datasets.tag_tables import write_tag_table
from ..utils.cli import bad_input_exits

WARNING = (
    'warning: {} is a pickle, and pickles can run code. This tool builds arrays from it and '
    'refuses all else; do not load it in any other way unless you trust whoever made it.'
)


def run(args: argparse.Namespace) -> int:
    with bad_input_exits():
        if Path(args.target).suffix != '.json':
            raise ValueError(f'{args.target}: the table is written as .json.')
        print(WARNING.format(args.source), file=sys.stderr)
        table = read_one_hot(args.source, class_names(args.classes))
        write_tag_table(args.target, table)
        print(f'{args.target}: {len(table)} images')
    return 0
