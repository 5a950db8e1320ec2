"""Show what enrichment does to class texts: attributes, weights, confusable classes."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..text.from_config import inspect_config
from ..text.inspection import TextReport
from ..utils.cli import bad_input_exits
from ..utils.config_file import read_settings
from ..visualization.attribute_weights import save_attribute_weights


def run(args: argparse.Namespace) -> None:
    with bad_input_exits():
        report = inspect_config(read_settings(args.config, args.cfg_options))
        names = args.classes or report.classes
        check_names(names, report)
        if args.picture:
            save_attribute_weights(report.weights, report.classes, args.picture)
        console = Console()
        for name in names:
            console.print(attribute_table(report, name, args.top))
        console.print(confusion_table(report, names))


def check_names(names: Iterable[str], report: TextReport) -> None:
    for name in names:
        if name not in report.classes:
            raise ValueError(f'There is no class {name!r}; there are {", ".join(report.classes)}.')


def attribute_table(report: TextReport, name: str, top: int) -> Table:
    kept = report.hunted(name)
    dropped = len(report.bank.attributes) - len(kept)
    title = f'{escape(name)}: {len(kept)} attributes kept, {dropped} dropped'
    table = Table('attribute', 'weight', 'nearest sentence', title=title)
    for attribute, weight in kept[:top]:
        sentence = report.nearest_sentences(attribute, count=1)[0]
        table.add_row(str(attribute), f'{weight:.2%}', escape(sentence))
    return table


def confusion_table(report: TextReport, names: Iterable[str]) -> Table:
    table = Table(
        'class', 'most like it before', 'and after enrichment', title='Confusable classes'
    )
    for name in names:
        columns = [
            escape('\n'.join(f'{other} {cosine:.3f}' for other, cosine in nearest))
            for nearest in report.confusable(name)
        ]
        table.add_row(escape(name), *columns)
    return table
