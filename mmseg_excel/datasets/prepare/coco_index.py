"""COCO's annotations by image, on disk: the file has them in no order and fits in no memory."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...utils.checks import shown
from ...utils.images import MAX_PIXELS
from ...utils.problems import Problems
from ..coco_json import COCOJSON, image_name
from ..lists import leaves_folder

TABLES = """
CREATE TABLE images (
    id INTEGER PRIMARY KEY, file TEXT, name TEXT UNIQUE, height INTEGER, width INTEGER
);
CREATE TABLE annotations (
    id INTEGER PRIMARY KEY, image INTEGER, class INTEGER, area REAL, segmentation TEXT
);
"""
BY_IMAGE = 'CREATE INDEX by_image ON annotations (image)'
STRAYS = 'SELECT id FROM annotations WHERE image NOT IN (SELECT id FROM images)'
ANNOTATED = """
SELECT id, file, name, height, width FROM images
WHERE id IN (SELECT image FROM annotations) ORDER BY file
"""
# Larger areas first, so that smaller ones are drawn over them.
OF_IMAGE = """
SELECT id, class, segmentation FROM annotations WHERE image = ? ORDER BY area DESC, id
"""
CLASSES = """
SELECT name, class FROM annotations JOIN images ON images.id = annotations.image
GROUP BY name, class ORDER BY file, class
"""

INCOMPLETE = 'annotations without image, area or segmentation'


class COCOImage(NamedTuple):
    """One image of the file; its name is that of its file without the suffix."""

    id: int
    file: str
    name: str
    height: int
    width: int


class COCOIndex:
    """A data base of one annotation file; opened anew by every process.

    Args:
        path: The data base.
    """

    def __init__(self, path: str | Path) -> None:
        self.connection = sqlite3.connect(path)

    def __enter__(self) -> COCOIndex:
        return self

    def __exit__(self, *_) -> None:
        self.connection.close()

    def fill(self, content: COCOJSON, classes: Sequence[str], problems: Problems) -> None:
        """Copy images and annotations; ids that lead nowhere become problems.

        Raises:
            BadInput: the file is broken, or its categories are not the ``classes``.
        """
        class_of = content.class_indices(classes)
        self.connection.executescript(TABLES)
        for image in content.images():
            self._add_image(image, problems)
        for annotation in content.annotations():
            self._add_annotation(annotation, class_of, problems)
        self.connection.execute(BY_IMAGE)
        self.connection.commit()
        for (number,) in self.connection.execute(STRAYS):
            problems.add('annotations of unknown images', f'annotation {number}')

    def _add_image(self, image: dict, problems: Problems) -> None:
        row: list[Any] = [image.get(key) for key in ('id', 'file_name', 'height', 'width')]
        if not _is_image(*row):
            problems.add('unusable image entries', shown(image, 200))
            return
        number, file, *size = row
        try:
            self.connection.execute(
                'INSERT INTO images VALUES (?, ?, ?, ?, ?)', (number, file, image_name(file), *size)
            )
        except sqlite3.IntegrityError:
            problems.add('images listed twice', f'{file} (id {number})')

    def _add_annotation(self, annotation: dict, class_of: dict, problems: Problems) -> None:
        number, image, category, area = (
            annotation.get(key) for key in ('id', 'image_id', 'category_id', 'area')
        )
        name = f'annotation {shown(number, 20)}'
        if type(category) is not int or category not in class_of:
            problems.add('annotations of unknown categories', f'{name} ({shown(category, 20)})')
        elif not (_is_id(number) and _is_id(image) and _is_area(area)):
            problems.add(INCOMPLETE, name)
        elif not isinstance(annotation.get('segmentation'), list | dict):
            problems.add(INCOMPLETE, name)
        else:
            self._insert(number, image, class_of[category], area, annotation, problems)

    def _insert(self, number, image, class_index, area, annotation, problems) -> None:
        try:
            segmentation = json.dumps(annotation['segmentation'])
            self.connection.execute(
                'INSERT INTO annotations VALUES (?, ?, ?, ?, ?)',
                (number, image, class_index, area, segmentation),
            )
        except sqlite3.IntegrityError:
            problems.add('annotations listed twice', f'annotation {number}')
        except RecursionError:
            problems.add('annotations nested too deeply', f'annotation {number}')

    @property
    def num_images(self) -> int:
        """Number of images, annotated or not."""
        return self.connection.execute('SELECT COUNT(*) FROM images').fetchone()[0]

    def annotated_images(self) -> list[COCOImage]:
        """The images with at least one annotation, by file name."""
        return [COCOImage(*row) for row in self.connection.execute(ANNOTATED)]

    def annotations(self, image: int) -> Iterator[tuple[int, int, list | dict]]:
        """Id, class index and segmentation of the annotations of an image, largest area first."""
        for number, class_index, segmentation in self.connection.execute(OF_IMAGE, (image,)):
            yield number, class_index, json.loads(segmentation)

    def class_indices(self) -> Iterator[tuple[str, int]]:
        """Every pair of an image's name and a class that appears in it, in order."""
        return self.connection.execute(CLASSES)


def _is_image(number: object, file: object, height: Any, width: Any) -> bool:
    if not (_is_id(number) and isinstance(file, str) and file.strip() and file.isprintable()):
        return False
    sizes = all(type(side) is int and side > 0 for side in (height, width))
    return sizes and height * width <= MAX_PIXELS and not leaves_folder(file)


def _is_id(value: Any) -> bool:
    return type(value) is int and abs(value) < 2**63


def _is_area(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < math.inf
