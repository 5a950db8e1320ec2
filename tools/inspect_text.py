"""Show what enrichment does to class texts: attributes, weights, confusable classes.

Example:
    python tools/inspect_text.py configs/excel_toy.py --classes boat fish --picture weights.png
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mmseg_excel.text.from_config import inspect_config
from mmseg_excel.text.inspection import TextReport
from mmseg_excel.utils.arguments import Parser, add_config_options, output_file, whole_number
from mmseg_excel.utils.cli import bad_input_exits
from mmseg_excel.utils.config_file import read_settings
from mmseg_excel.visualization.attribute_weights import save_attribute_weights


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of an ExCEL model')
    parser.add_argument('--classes', nargs='+', help='classes to show (default: all)')
    parser.add_argument(
        '--top',
        type=whole_number('[1, 100000]'),
        default=10,
        help='attributes to show for each class',
    )
    parser.add_argument(
        '--picture', type=output_file, help='write a class-by-attribute heat map to this PNG file'
    )
    add_config_options(parser)
    options = parser.parse_args(arguments)
    with bad_input_exits():
        report = inspect_config(read_settings(options.config, options.cfg_options))
        names = options.classes or report.classes
        check_names(names, report)
        if options.picture:
            save_attribute_weights(report.weights, report.classes, options.picture)
        console = Console()
        for name in names:
            console.print(attribute_table(report, name, options.top))
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


if __name__ == '__main__':
    main()
