"""Score masks that are already files, such as pseudo labels, against true masks."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from mmseg_excel.datasets.class_names import class_names
from mmseg_excel.datasets.lists import read_list
from mmseg_excel.evaluation import Report
from mmseg_excel.evaluation.folders import score_folder
from mmseg_excel.evaluation.report import check_published
from mmseg_excel.utils.arguments import Parser, named_folder, output_folder, workers
from mmseg_excel.utils.cli import bad_input_exits


def parse_args(argv: list[str] | None) -> argparse.Namespace:
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


def names_in(folder: Path) -> list[str]:
    names = sorted(str(path.relative_to(folder))[:-4] for path in folder.rglob('*.png'))
    if not names:
        raise ValueError(f'{folder} holds no .png mask.')
    return names


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    with bad_input_exits():
        check_published(args.published)
        compared = dict(args.compare)
        for folder in (args.predictions, *compared.values(), args.truths):
            if not folder.is_dir():
                raise FileNotFoundError(f'{folder} is no folder of masks.')
        classes = ['background', *class_names(args.classes)]
        names = read_list(args.list) if args.list else names_in(args.predictions)
        score = partial(
            score_folder,
            truths=args.truths,
            names=names,
            num_classes=len(classes),
            truths_have_background=not args.no_background,
            workers=args.workers,
        )
        scores = score(args.predictions)
        others = {name: score(folder) for name, folder in compared.items()}
        report = Report(scores, classes, args.published, args.name, others)
        if args.table_dir:
            report.write(args.table_dir)
        print(report.terminal())
        print('  '.join(f'{name} {value:.2f}' for name, value in scores.means().items()))
    return 0


if __name__ == '__main__':
    sys.exit(main())
