"""Convert a one-hot tag dictionary (cls_labels_onehot.npy) to a table that training can read."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmseg_excel.datasets.class_names import class_names
from mmseg_excel.datasets.prepare.one_hot import read_one_hot
from mmseg_excel.datasets.tag_tables import write_tag_table
from mmseg_excel.utils.arguments import Parser, output_file
from mmseg_excel.utils.cli import bad_input_exits

WARNING = (
    'warning: {} is a pickle, and pickles can run code. This tool builds arrays from it and '
    'refuses all else; do not load it in any other way unless you trust whoever made it.'
)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument('source', help='the .npy file')
    parser.add_argument('target', type=output_file, help='the table to write, .json')
    parser.add_argument(
        '--classes',
        default='voc',
        help='order of the vectors: voc (default), coco, toy or a .txt file, one class name a line',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    with bad_input_exits():
        if Path(args.target).suffix != '.json':
            raise ValueError(f'{args.target}: the table is written as .json.')
        print(WARNING.format(args.source), file=sys.stderr)
        table = read_one_hot(args.source, class_names(args.classes))
        write_tag_table(args.target, table)
        print(f'{args.target}: {len(table)} images')
    return 0


if __name__ == '__main__':
    sys.exit(main())
