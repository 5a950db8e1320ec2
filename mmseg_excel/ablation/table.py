"""A table of the paper: rows of settings, columns of scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..utils.bad_input import BadInput
from ..utils.checks import check_number, check_sequence, shown
from ..utils.config_file import read_config_file


class Column(NamedTuple):
    """Where a column's numbers come from.

    Attributes:
        kind: Kind of run: ``'static'`` never trains, ``'train'`` does.
        score: Name among the scores of that run.
    """

    kind: str
    score: str


#: Columns a table may have.
COLUMNS = {
    # Labels of the training split that unrefined maps of the tagged classes give.
    'Maps': Column('static', 'maps_mIoU'),
    # Pseudo labels of the training split: from static maps, and from those of the trained model.
    'M, training-free': Column('static', 'pseudo_mIoU'),
    'M': Column('train', 'pseudo_mIoU'),
    # Predictions on the validation split, one view, no DenseCRF.
    'Precision': Column('train', 'mPrecision'),
    'Recall': Column('train', 'mRecall'),
    'Seg.': Column('train', 'mIoU'),
}


@dataclass(frozen=True)
class Row:
    """One setting.

    Args:
        label: What the row is called.
        options: Overrides of the base config, by dotted name.
        paper: The paper's numbers by column, as far as it gives them.
        method: Of another method: what its configs' names begin with (``'weclip'``), so that its
            base is ``weclip_toy.py`` where the table's is ``excel_toy.py``. Default: the base's.
    """

    label: str
    options: Mapping[str, object] = field(default_factory=dict)
    paper: Mapping[str, float] = field(default_factory=dict)
    method: str = ''

    def base(self, config: str) -> str:
        """The row's base config.

        Raises:
            BadInput: The method has no config for the data of the table's base.
        """
        if not self.method:
            return config
        path = Path(config)
        own = path.with_name(f'{self.method}_{path.stem.rpartition("_")[2]}{path.suffix}')
        if not own.is_file():
            raise BadInput(f"Row {self.label!r} needs the config '{own}', which is not there.")
        return str(own)


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        name: For example ``'1a'``.
        title: What it is about.
        head: Of the column of labels.
        columns: Keys of ``COLUMNS``.
        rows: Its rows.
    """

    name: str
    title: str
    head: str
    columns: Sequence[str]
    rows: Sequence[Row]

    def only(self, kind: str) -> Table | None:
        """The table without columns of other kinds of run; None if nothing is left."""
        columns = [column for column in self.columns if COLUMNS[column].kind == kind]
        return Table(self.name, self.title, self.head, columns, self.rows) if columns else None


def load_table(path: str | Path) -> Table:
    """Read a table from a config with ``name``, ``title``, ``head``, ``columns`` and ``rows``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no table, or has unknown columns; names the file.
    """
    content = read_config_file(path).to_dict()
    missing = [key for key in ('name', 'title', 'head', 'columns', 'rows') if key not in content]
    if missing:
        raise BadInput(f"'{path}' is no table of ablations: it does not set {missing[0]!r}.")
    for key in ('name', 'title', 'head'):
        if not isinstance(content[key], str):
            raise BadInput(f"'{path}': {key} is {shown(content[key])}, but must be a text.")
    for key in ('columns', 'rows'):
        if not isinstance(content[key], list | tuple):
            raise BadInput(f"'{path}': {key} is {shown(content[key])}, but must be a list.")
    rows = [_row(path, row) for row in content['rows']]
    _check_columns(path, content['columns'], rows)
    check_sequence(f"'{path}': rows", rows)
    return Table(content['name'], content['title'], content['head'], content['columns'], rows)


def _row(path: str | Path, content: Any) -> Row:
    try:
        row = Row(**content)
        json.dumps(row.options)
    except (TypeError, ValueError) as error:
        raise BadInput(f"'{path}' has a row that is none: {error}.") from None
    for key, kind in (('label', str), ('options', dict), ('paper', dict), ('method', str)):
        value = getattr(row, key)
        if not isinstance(value, kind):
            raise BadInput(
                f"'{path}' has a row whose {key} is {shown(value)}, but must be a {kind.__name__}."
            )
    for column, value in row.paper.items():
        check_number(f"'{path}': {column!r} of the paper in row {row.label!r}", value, '[0, 100]')
    return row


def _check_columns(path: str | Path, columns: Sequence[Any], rows: Sequence[Row]) -> None:
    for column in (*columns, *(column for row in rows for column in row.paper)):
        if not isinstance(column, str) or column not in COLUMNS:
            raise BadInput(
                f"'{path}' has a column {shown(column)}: there are {', '.join(map(repr, COLUMNS))}."
            )
    check_sequence(f"'{path}': columns", columns)
    if len(set(columns)) < len(columns):
        raise BadInput(f"'{path}' names a column twice: {', '.join(columns)}.")
