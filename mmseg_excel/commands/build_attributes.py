"""Build a config's attribute bank and show its clusters."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..text.attribute_bank import save_bank
from ..text.from_config import inspect_config
from ..text.inspection import TextReport
from ..utils.cli import bad_input_exits
from ..utils.config_file import read_settings


def run(args: argparse.Namespace) -> None:
    with bad_input_exits():
        report = inspect_config(read_settings(args.config, args.cfg_options))
        if args.out:
            save_bank(report.bank, args.out)
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
