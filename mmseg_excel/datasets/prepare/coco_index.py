"""COCO's annotations by image, on disk: the file has them in no order and fits in no memory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ...utils.problems import Problems
from ..coco_json import COCOJSON
from ..lists import leaves_folder

TABLES = """
CREATE TABLE images (id INTEGER PRIMARY KEY, file TEXT UNIQUE, height INTEGER, width INTEGER);
CREATE TABLE annotations (
    image INTEGER, id INTEGER, class INTEGER, area REAL, segmentation TEXT
);
"""
BY_IMAGE = 'CREATE INDEX by_image ON annotations (image)'
STRAYS = 'SELECT id FROM annotations WHERE image NOT IN (SELECT id FROM images)'
ANNOTATED = """
SELECT id, file, height, width FROM images
WHERE id IN (SELECT image FROM annotations) ORDER BY file
"""
# Larger areas first, so that smaller ones are drawn over them.
OF_IMAGE = """
SELECT id, class, segmentation FROM annotations WHERE image = ? ORDER BY area DESC, id
"""
CLASSES = """
SELECT file, class FROM annotations JOIN images ON images.id = annotations.image
GROUP BY file, class ORDER BY file, class
"""


class COCOImage(NamedTuple):
    """One image of the file."""

    id: int
    file: str
    height: int
    width: int

    @property
    def name(self) -> str:
        """The file name without its suffix."""
        return str(Path(self.file).with_suffix(''))


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
            ValueError: the file is broken, or its categories are not the ``classes``.
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
        row = [image.get(key) for key in ('id', 'file_name', 'height', 'width')]
        if None in row or leaves_folder(str(row[1])):
            problems.add('unusable image entries', json.dumps(image))
            return
        try:
            self.connection.execute('INSERT INTO images VALUES (?, ?, ?, ?)', row)
        except sqlite3.IntegrityError:
            problems.add('images listed twice', f'{row[1]} (id {row[0]})')

    def _add_annotation(self, annotation: dict, class_of: dict, problems: Problems) -> None:
        number, image, category = (annotation.get(key) for key in ('id', 'image_id', 'category_id'))
        if category not in class_of:
            problems.add('annotations of unknown categories', f'annotation {number} ({category})')
            return
        row = image, number, class_of[category], annotation.get('area')
        segmentation = annotation.get('segmentation')
        if None in row or segmentation is None:
            problems.add('annotations without image, area or segmentation', f'annotation {number}')
            return
        self.connection.execute(
            'INSERT INTO annotations VALUES (?, ?, ?, ?, ?)', (*row, json.dumps(segmentation))
        )

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
        """Every pair of an image file and a class that appears in it, in order."""
        return self.connection.execute(CLASSES)
