"""Build a config's attribute bank and show its clusters.

Training finds the bank in the cache afterwards.

Example:
    python tools/build_attributes.py configs/excel_toy.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mmseg_excel.text.attribute_bank import save_bank
from mmseg_excel.text.from_config import inspect_config
from mmseg_excel.text.inspection import TextReport
from mmseg_excel.utils.arguments import Parser, add_config_options, output_file
from mmseg_excel.utils.cli import bad_input_exits
from mmseg_excel.utils.config_file import read_settings


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of an ExCEL model')
    parser.add_argument('--out', type=output_file, help='also write the bank to this .npz file')
    add_config_options(parser)
    options = parser.parse_args(arguments)
    with bad_input_exits():
        report = inspect_config(read_settings(options.config, options.cfg_options))
        if options.out:
            save_bank(report.bank, options.out)
        Console().print(cluster_table(report))


def cluster_table(report: TextReport) -> Table:
    table = Table('#', 'size', 'nearest sentences', 'hunted most by', show_lines=True)
    sizes = report.bank.clusters.bincount(minlength=len(report.bank.attributes)).tolist()
    for attribute, size in enumerate(sizes):
        hunters = [f'{name} {part:.2%}' for name, part in report.hunters(attribute)]
        table.add_row(
            str(attribute),
            str(size),
            escape('\n'.join(report.nearest_sentences(attribute))),
            escape('\n'.join(hunters)),
        )
    return table


if __name__ == '__main__':
    main()
