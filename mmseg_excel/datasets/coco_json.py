"""MS COCO's annotation files, read as a stream: whole, the largest needs gigabytes of memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..utils.bad_input import BadInput
from ..utils.checks import shown
from ..utils.extras import extra
from ..utils.text_file import check_size
from .lists import plain_name

MOST_BYTES = 2**30
_DEEPEST = 1000
_OPENING = tuple(b'[{')
_NO_BRACKETS = bytes(set(range(256)).difference(b'[]{}'))


def image_name(file: str) -> str:
    """The file name of an image entry without its suffix."""
    return str(Path(plain_name(file)).with_suffix('')) if Path(file).name else file


class COCOJSON:
    """One ``instances_*.json``, each of whose parts can be walked through any number of times.

    Args:
        path: The file, of at most a gigabyte.

    Raises:
        FileNotFoundError: there is no such file.
        BadInput: it is no regular file, or too large.
    """

    def __init__(self, path: str | Path) -> None:
        check_size(path, 'annotation file', MOST_BYTES)
        self.path = Path(path)
        self._check_depth()

    def images(self) -> Iterator[dict]:
        """Objects with ``id``, ``file_name``, ``height``, ``width``."""
        return self._stream('images')

    def annotations(self) -> Iterator[dict]:
        """Objects with ``id``, ``image_id``, ``category_id``, ``area``, ``segmentation``..."""
        return self._stream('annotations')

    def class_indices(self, classes: Sequence[str]) -> dict[int, int]:
        """Index among ``classes`` by category id; the names must be the same.

        Raises:
            BadInput: the file's categories are not the ``classes``.
        """
        names: dict[int, str] = {}
        for category in self._stream('categories'):
            number, name = category.get('id'), category.get('name')
            if type(number) is not int or not isinstance(name, str) or number in names:
                raise BadInput(f'{self.path}: the category {shown(category)} is unusable.')
            names[number] = name
        unknown = sorted(set(names.values()).difference(classes))
        missing = sorted(set(classes).difference(names.values()))
        if unknown or missing or len(names) != len(classes):
            raise BadInput(
                f'{self.path}: categories that are not classes: {_some(unknown)}; '
                f'classes without a category: {_some(missing)}.'
            )
        return {number: classes.index(name) for number, name in names.items()}

    def _check_depth(self) -> None:
        """Refuse deep nesting, on which the parser spends memory by the square of the depth."""
        depth = 0
        with self.path.open('rb') as file:
            while chunk := file.read(2**24):
                # All but brackets deleted; the few in strings do not reach the limit.
                brackets = np.frombuffer(chunk.translate(None, _NO_BRACKETS), np.uint8)
                depths = depth + np.cumsum(np.where(np.isin(brackets, _OPENING), 1, -1))
                if depths.size and depths.max() > _DEEPEST:
                    raise BadInput(f'{self.path} is no annotation file: it is nested too deeply.')
                depth = int(depths[-1]) if depths.size else depth

    def _stream(self, part: str) -> Iterator[dict]:
        with extra('coco'):
            import ijson
        with self.path.open('rb') as file:
            try:
                for entry in ijson.items(file, f'{part}.item', use_float=True):
                    if not isinstance(entry, dict):
                        raise BadInput(
                            f'{self.path}: {part} hold {shown(entry)}, but must hold objects.'
                        )
                    yield entry
            except (ijson.JSONError, UnicodeDecodeError, OverflowError) as error:
                reason = str(error).partition('\n')[0]
                raise BadInput(f'{self.path} is not whole JSON ({reason}).') from None


def _some(names: Sequence[str], most: int = 10) -> str:
    rest = f' and {len(names) - most} more' if len(names) > most else ''
    return (', '.join(name[:40] for name in names[:most]) or 'none') + rest
