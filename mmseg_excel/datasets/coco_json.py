"""MS COCO's annotation files, read as a stream: whole, the largest needs gigabytes of memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import ijson


class COCOJSON:
    """One ``instances_*.json``, each of whose parts can be walked through any number of times.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: there is no such file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f'Annotation file {path} does not exist.')

    def images(self) -> Iterator[dict]:
        """Objects with ``id``, ``file_name``, ``height``, ``width``."""
        return self._stream('images')

    def annotations(self) -> Iterator[dict]:
        """Objects with ``id``, ``image_id``, ``category_id``, ``area``, ``segmentation``..."""
        return self._stream('annotations')

    def class_indices(self, classes: Sequence[str]) -> dict[int, int]:
        """Index among ``classes`` by category id; the names must be the same.

        Raises:
            ValueError: the file's categories are not the ``classes``.
        """
        names = {
            category.get('id'): category.get('name') for category in self._stream('categories')
        }
        unknown = sorted(set(map(str, names.values())).difference(classes))
        missing = sorted(set(classes).difference(names.values()))
        if unknown or missing:
            raise ValueError(
                f'{self.path}: categories that are not classes: {", ".join(unknown) or "none"}; '
                f'classes without a category: {", ".join(missing) or "none"}.'
            )
        return {number: classes.index(name) for number, name in names.items()}

    def _stream(self, part: str) -> Iterator[dict]:
        with self.path.open('rb') as file:
            try:
                yield from ijson.items(file, f'{part}.item', use_float=True)
            except ijson.JSONError as error:
                reason = str(error).splitlines()[0]
                raise ValueError(f'{self.path} is not whole JSON ({reason}).') from None
