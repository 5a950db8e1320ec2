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
from collections.abc import Iterable
from pathlib import Path

from ..utils.atomic import write_atomically
from ..utils.problems import Problems

TagTable = dict[str, list[str]]
Row = tuple[str, object, object]  # where it stands, image, tags


def read_tag_table(path: str | Path) -> TagTable:
    """Read a table of tags; the suffix of the file says which kind.

    Returns:
        Tags by image, in the table's order.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not such a table; tells every bad row, the first few by name.
    """
    path = Path(path)
    readers = {'.csv': _csv_rows, '.json': _json_rows, '.jsonl': _jsonl_rows}
    if path.suffix.lower() not in readers:
        raise ValueError(f'{path}: a table of tags is a .csv, .json or .jsonl file.')
    if not path.is_file():
        raise FileNotFoundError(f'Tag table {path} does not exist.')
    try:
        rows = list(readers[path.suffix.lower()](path.read_text(encoding='utf-8-sig')))
    except (UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise ValueError(f'{path} is not a {path.suffix} file: {error}.') from None
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    return _table(rows, path)


def write_tag_table(path: str | Path, table: TagTable) -> None:
    """Write a JSON table, one image per line, whole or not at all."""
    lines = ',\n'.join(f'{json.dumps(image)}: {json.dumps(tags)}' for image, tags in table.items())
    write_atomically(path, f'{{\n{lines}\n}}\n'.encode())


def _table(rows: Iterable[Row], path: Path) -> TagTable:
    problems = Problems()
    table: TagTable = {}
    for where, image, tags in rows:
        if not isinstance(image, str) or not image.strip():
            problems.add('rows without an image', where)
        elif not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            problems.add('rows whose tags are not a list of names', f'{where} ({image})')
        elif image.strip() in table:
            problems.add('images listed twice', image.strip())
        else:
            table[image.strip()] = [tag.strip() for tag in tags]
    problems.raise_if_any(str(path))
    return table


def _csv_rows(text: str) -> Iterable[Row]:
    reader = csv.DictReader(io.StringIO(text, newline=''))
    if not {'image', 'tags'} <= set(reader.fieldnames or ()):
        raise ValueError('the first line must name the columns "image" and "tags".')
    for row in reader:
        tags = [tag for tag in (row['tags'] or '').split(';') if tag.strip()]
        yield f'line {reader.line_num}', row['image'], tags


def _json_rows(text: str) -> Iterable[Row]:
    # Pairs instead of a dict, so that an image that stands there twice is seen.
    content = json.loads(text, object_pairs_hook=_Pairs)
    if isinstance(content, _Pairs):
        return [(repr(image), image, tags) for image, tags in content]
    if isinstance(content, list):
        return [_object_row(f'entry {number}', row) for number, row in enumerate(content, 1)]
    raise ValueError('must hold an object {image: [tags]} or a list of {"image", "tags"} objects.')


def _jsonl_rows(text: str) -> Iterable[Row]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield _object_row(f'line {number}', json.loads(line, object_pairs_hook=_Pairs))


def _object_row(where: str, row: object) -> Row:
    fields = dict(row) if isinstance(row, _Pairs) else {}
    return where, fields.get('image'), fields.get('tags')


class _Pairs(list):
    """A JSON object as pairs: a plain list would look like a JSON array."""
