"""Score masks that are already files, such as pseudo labels, against true masks."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from ..datasets.class_names import class_names
from ..datasets.lists import read_list
from ..evaluation import Report
from ..evaluation.folders import score_folder
from ..evaluation.report import check_published
from ..utils.cli import bad_input_exits


def names_in(folder: Path) -> list[str]:
    names = sorted(str(path.relative_to(folder))[:-4] for path in folder.rglob('*.png'))
    if not names:
        raise ValueError(f'{folder} holds no .png mask.')
    return names


def run(args: argparse.Namespace) -> int:
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
