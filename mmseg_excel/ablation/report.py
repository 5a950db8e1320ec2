"""Tables of results in Markdown and LaTeX, the paper's numbers beside ours."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from .results import ResultsFile
from .runs import runs_of_cell
from .table import COLUMNS, Row, Table

_MISSING = '–'
_PAPER = 'paper'


@dataclass(frozen=True)
class Report:
    """One table with what was measured so far.

    Args:
        table: The table.
        results: Results of its runs.
        base: Base config file.
        options: Overrides of the base for all rows.
        seeds: Of every training.
    """

    table: Table
    results: ResultsFile
    base: str
    options: Mapping[str, object]
    seeds: Sequence[int]

    def values(self, row: Row, column: str) -> list[float]:
        """Scores of a cell, one a seed; what is not measured yet is left out."""
        runs = runs_of_cell(row, column, self.base, self.options, self.seeds)
        return [
            self.results.scores(run.key)[COLUMNS[column].score]
            for run in runs
            if run.key in self.results
        ]

    def markdown(self) -> str:
        """The table in Markdown, with its caption and how far its order is the paper's."""
        head, *rows = self._cells()
        lines = [head, ['---', *['---:'] * (len(head) - 1)], *rows]
        body = '\n'.join('| ' + ' | '.join(cells) + ' |' for cells in lines)
        return '\n\n'.join([f'**{self._caption()}**', body, *self._agreements()]) + '\n'

    def latex(self) -> str:
        """The table in LaTeX; needs the ``booktabs`` package."""
        head, *rows = [' & '.join(map(_latex, cells)) + r' \\' for cells in self._cells()]
        lines = [r'\toprule', head, r'\midrule', *rows, r'\bottomrule']
        columns = 'l' + 'r' * head.count('&')
        return (
            '\\begin{table}\n\\centering\n'
            f'\\caption{{{_latex(self._caption())}}}\n\\begin{{tabular}}{{{columns}}}\n'
            + '\n'.join(lines)
            + '\n\\end{tabular}\n\\end{table}\n'
        )

    def _caption(self) -> str:
        seeds = ' '.join(map(str, self.seeds))
        return (
            f'Table {self.table.name}. {self.table.title}. Ours: {Path(self.base).stem}, '
            f'seeds {seeds}; '
            f'{_PAPER}: PASCAL VOC 2012.'
        )

    def _cells(self) -> list[list[str]]:
        """Rows of texts, the head first."""
        head, rows = [self.table.head], [[row.label] for row in self.table.rows]
        for column in self.table.columns:
            in_paper = any(column in row.paper for row in self.table.rows)
            head += [column, _PAPER] if in_paper else [column]
            for cells, row in zip(rows, self.table.rows, strict=True):
                cells.append(mean_and_deviation(self.values(row, column)))
                if in_paper:
                    cells.append(f'{row.paper[column]:.1f}' if column in row.paper else _MISSING)
        return [head, *rows]

    def _agreements(self) -> list[str]:
        """Sentence on the pairs of rows that stand in the paper's order."""
        parts = []
        for column in self.table.columns:
            pairs = [
                (row.paper[column], statistics.fmean(self.values(row, column)))
                for row in self.table.rows
                if column in row.paper and self.values(row, column)
            ]
            if len(pairs) > 1:
                agreeing, all_pairs = pairs_in_order(pairs)
                parts.append(f'{column} {agreeing} of {all_pairs}')
        return [f"Pairs of rows in the paper's order: {', '.join(parts)}."] if parts else []


def mean_and_deviation(values: Sequence[float]) -> str:
    """Mean, and the standard deviation of a sample if there are several values."""
    if not values:
        return _MISSING
    mean = f'{statistics.fmean(values):.1f}'
    return mean if len(values) == 1 else f'{mean} ± {statistics.stdev(values):.1f}'


def pairs_in_order(values: Sequence[tuple[float, float]]) -> tuple[int, int]:
    """How many pairs of (theirs, ours) both rank alike, and how many pairs there are.

    What theirs ranks as equal is no pair.
    """
    pairs = [(a, b) for a, b in combinations(values, 2) if a[0] != b[0]]
    return sum((a[0] < b[0]) == (a[1] < b[1]) and a[1] != b[1] for a, b in pairs), len(pairs)


def _latex(text: str) -> str:
    for character in '&%#_':
        text = text.replace(character, f'\\{character}')
    return text.replace('±', r'$\pm$').replace(_MISSING, '--')
