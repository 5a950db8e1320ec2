"""Scores as tables: one row per method, one column per class, the mean last."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from prettytable import PrettyTable

#: PASCAL VOC's classes as the papers' tables head their columns.
SHORT_NAMES = {
    'background': 'bkg',
    'aeroplane': 'aero',
    'bicycle': 'bike',
    'diningtable': 'table',
    'motorbike': 'motor',
    'pottedplant': 'plant',
    'tvmonitor': 'tv',
}


@dataclass(frozen=True)
class ScoreTable:
    """One score of several methods.

    Args:
        mean: Name of the mean, the last column: ``'mIoU'``.
        classes: The n + 1 class names.
        rows: Method and its n + 2 values, one per class and the mean.
        decimals: Digits shown after the point.
    """

    mean: str
    classes: Sequence[str]
    rows: Sequence[tuple[str, Sequence[float]]]
    decimals: int

    @property
    def head(self) -> list[str]:
        """Column names."""
        return ['Methods', *(SHORT_NAMES.get(name, name) for name in self.classes), self.mean]

    def _cells(self) -> list[list[str]]:
        return [[method, *map(self._number, values)] for method, values in self.rows]

    def _number(self, value: float) -> str:
        return '-' if math.isnan(value) else f'{value:.{self.decimals}f}'

    def terminal(self) -> str:
        """With lines drawn."""
        table = PrettyTable(self.head, align='r')
        table.align['Methods'] = 'l'
        table.add_rows(self._cells())
        return table.get_string()

    def csv(self) -> str:
        """Comma-separated."""
        text = io.StringIO()
        csv.writer(text, lineterminator='\n').writerows([self.head, *self._cells()])
        return text.getvalue()

    def latex(self) -> str:
        """A ``tabular`` that needs the ``booktabs`` package."""
        lines = [' & '.join(map(_escaped, cells)) + r' \\' for cells in [self.head, *self._cells()]]
        lines[1:1] = [r'\midrule']
        body = '\n'.join([r'\toprule', *lines, r'\bottomrule'])
        columns = 'l' + 'c' * (len(self.head) - 1)
        return f'\\begin{{tabular}}{{{columns}}}\n{body}\n\\end{{tabular}}\n'


def _escaped(text: str) -> str:
    for character in '&%$#_{}':
        text = text.replace(character, f'\\{character}')
    return text.replace('†', r'\textdagger{}')
