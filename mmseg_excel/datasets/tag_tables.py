"""Tables of image tags: CSV, JSON and JSON lines.

Three spellings of one thing, images and the tags of each:

    CSV     image,tags                          header required; tags separated by semicolons
            cats/one.jpg,cat;sofa
    JSON    {"cats/one.jpg": ["cat", "sofa"]}   or a list of the objects below
    JSONL   {"image": "cats/one.jpg", "tags": ["cat", "sofa"]}     one object per line
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..utils.atomic import write_atomically
from ..utils.bad_input import BadInput
from ..utils.checks import in_one_line, shown
from ..utils.problems import Problems
from ..utils.text_file import read_text

TagTable = dict[str, list[str]]
Row = tuple[str, Any, Any]  # where it stands, image, tags


def read_tag_table(path: str | Path) -> TagTable:
    """Read a table of tags; the suffix of the file says which kind.

    Returns:
        Tags by image, in the table's order.

    Raises:
        FileNotFoundError: there is no such file.
        BadInput: it is not such a table; tells every bad row, the first few by name.
    """
    suffix = os.path.splitext(str(path))[1].lower()
    if suffix not in _READERS:
        raise BadInput(f'{path}: a table of tags is a .csv, .json or .jsonl file.')
    try:
        rows = list(_READERS[suffix](read_text(path, 'table of tags')))
    except (BadInput, FileNotFoundError):
        raise
    except RecursionError:
        raise BadInput(f'{path} is not a table of tags: it is nested too deeply.') from None
    except (csv.Error, json.JSONDecodeError) as error:
        raise BadInput(f'{path} is not a {suffix} file: {in_one_line(error)}.') from None
    except ValueError as error:
        raise BadInput(f'{path}: {in_one_line(error)}.') from None
    return _table(rows, path)


def write_tag_table(path: str | Path, table: TagTable) -> None:
    """Write a JSON table, one image per line, whole or not at all."""
    lines = ',\n'.join(f'{json.dumps(image)}: {json.dumps(tags)}' for image, tags in table.items())
    write_atomically(path, f'{{\n{lines}\n}}\n'.encode())


def _table(rows: Iterable[Row], path: str | Path) -> TagTable:
    problems = Problems()
    table: TagTable = {}
    for where, image, tags in rows:
        problem = _problem(image, tags)
        if problem:
            problems.add(problem, f'{where} ({shown(image)})' if image else where)
            continue
        name = image.strip()
        if name in table:
            problems.add('images listed twice', name)
        table[name] = [tag.strip() for tag in tags]
    problems.raise_if_any(str(path))
    return table


def _problem(image: object, tags: object) -> str | None:
    """What is wrong with a row, if anything."""
    if not isinstance(image, str) or not image.strip() or not image.isprintable():
        return 'rows without an image'
    if type(tags) is not list or not all(isinstance(tag, str) for tag in tags):
        return 'rows whose tags are not a list of names'
    names = [tag.strip() for tag in tags]
    if not all(names):
        return 'rows with an empty tag'
    if len(set(names)) < len(names):
        return 'rows with a tag that stands twice'
    return None


def _csv_rows(text: str) -> Iterable[Row]:
    reader = csv.reader(io.StringIO(text, newline=''), strict=True)
    columns = [column.strip() for column in next(reader, ())]
    if columns.count('image') != 1 or columns.count('tags') != 1:
        raise ValueError('the first line must name the columns "image" and "tags", once each')
    for cells in filter(None, reader):
        where = f'line {reader.line_num}'
        if len(cells) != len(columns):
            raise ValueError(
                f'{where} has {len(cells)} cells, but the first line names {len(columns)} '
                'columns: separate tags by semicolons'
            )
        row = dict(zip(columns, cells, strict=True))
        yield where, row['image'], row['tags'].split(';') if row['tags'].strip() else []


def _json_rows(text: str) -> Iterable[Row]:
    # Pairs instead of a dict, so that an image that stands there twice is seen.
    content = json.loads(text, object_pairs_hook=_Pairs)
    if isinstance(content, _Pairs):
        return [(repr(image), image, tags) for image, tags in content]
    if isinstance(content, list):
        return [_object_row(f'entry {number}', row) for number, row in enumerate(content, 1)]
    raise ValueError('must hold an object {image: [tags]} or a list of {"image", "tags"} objects')


def _jsonl_rows(text: str) -> Iterable[Row]:
    for number, line in enumerate(text.split('\n'), 1):
        if line.strip():
            yield _object_row(f'line {number}', json.loads(line, object_pairs_hook=_Pairs))


def _object_row(where: str, row: object) -> Row:
    fields = dict(row) if isinstance(row, _Pairs) else {}
    if isinstance(row, _Pairs) and len(fields) < len(row):
        raise ValueError(f'{where} has a key that stands twice')
    return where, fields.get('image'), fields.get('tags')


class _Pairs(list):
    """A JSON object as pairs: a plain list would look like a JSON array."""


_READERS = {'.csv': _csv_rows, '.json': _json_rows, '.jsonl': _jsonl_rows}
