"""All scores of one run, as tables and files, beside published rows."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from prettytable import PrettyTable
from torch import Tensor

from ..utils.atomic import write_atomically
from ..utils.bad_input import BadInput
from ..utils.checks import check_choice
from .confusion import Scores
from .published import PUBLISHED
from .tables import ScoreTable

#: Name of the mean, factor and digits of every score that has a table.
STYLES = dict(
    iou=('mIoU', 100, 1),
    precision=('mPrecision', 100, 1),
    recall=('mRecall', 100, 1),
    confusion=('mCR', 1, 2),
)


@dataclass(frozen=True)
class Report:
    """The scores of one run.

    Args:
        scores: Of n + 1 classes.
        classes: Their names.
        published: Key of ``PUBLISHED`` whose rows stand above ours. Default: None.
        method: What our row is called. Default: ``'ours'``.
        others: Name -> scores of further runs, whose rows stand above ours. Default: none.

    Raises:
        BadInput: nothing is published under that name, or for other classes.
    """

    scores: Scores
    classes: Sequence[str]
    published: str | None = None
    method: str = 'ours'
    others: Mapping[str, Scores] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.published is None:
            return
        check_published(self.published)
        num_columns = len(PUBLISHED[self.published]['iou'][0][1]) - 1
        if num_columns != len(self.classes):
            raise BadInput(
                f'published={self.published!r} has {num_columns} classes, not {len(self.classes)}.'
            )

    def table(self, score: str) -> ScoreTable:
        """One score of all classes; ``score`` is a key of ``STYLES``."""
        mean, factor, decimals = STYLES[score]
        rows = list(PUBLISHED.get(self.published or '', {}).get(score, []))
        for method, scores in {**self.others, self.method: self.scores}.items():
            values: Tensor = factor * getattr(scores, score)
            rows.append((method, [*values.tolist(), float(values.nanmean())]))
        return ScoreTable(mean, self.classes, rows, decimals)

    def terminal(self) -> str:
        """Our scores class by class and, where something is published, the papers' wide tables."""
        per_class = PrettyTable(['Class', *STYLES], align='r', float_format='.2')
        per_class.align['Class'] = 'l'
        columns = [factor * getattr(self.scores, score) for score, (_, factor, _) in STYLES.items()]
        for name, values in zip(self.classes, torch.stack(columns, 1).tolist(), strict=True):
            per_class.add_row([name, *values])
        tables = ('confusion', 'iou') if self.others else PUBLISHED.get(self.published or '', ())
        wide = [self.table(score).terminal() for score in tables]
        return '\n'.join([per_class.get_string(), *wide])

    def write(self, folder: str | Path) -> None:
        """Write ``scores.json`` and, for every score, ``{score}.csv`` and ``{score}.tex``."""
        folder = Path(folder)
        for score in STYLES:
            write_atomically(folder / f'{score}.csv', self.table(score).csv().encode())
            write_atomically(folder / f'{score}.tex', self.table(score).latex().encode())
        write_atomically(folder / 'scores.json', self.json().encode())

    def json(self) -> str:
        """Means and scores per class; what is undefined or infinite is null."""
        content: dict[str, Any] = {
            name: _finite(value) for name, value in self.scores.means().items()
        }
        content['classes'] = {
            name: {score: _finite(getattr(self.scores, score)[index].item()) for score in STYLES}
            for index, name in enumerate(self.classes)
        }
        return json.dumps(content, indent=2) + '\n'


def check_published(published: str | None) -> None:
    """Refuse a key under which nothing is published.

    Raises:
        BadInput: Names the keys.
    """
    if published is not None:
        check_choice('published', published, PUBLISHED)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
