"""Image tags from MS COCO's annotation files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from mmseg.registry import TASK_UTILS

from ...utils.bad_input import BadInput
from ...utils.checks import check_text, shown
from ..coco_json import COCOJSON, image_name
from ..lists import plain_name
from .base import TagSource

Named = TypeVar('Named')


@TASK_UTILS.register_module()
class COCOTags(TagSource):
    """The categories annotated in an image, crowds included; an image without any has no tag.

    The file is read as a stream once, when the data set is loaded (half a minute for the 82 783
    images of train2014; the table that ``tools/prepare_coco.py`` writes loads at once).

    Args:
        file: E.g. ``'annotations/instances_train2014.json'``.

    Raises:
        FileNotFoundError: there is no such file.
        BadInput: it is broken, or its categories are not the data set's classes.
    """

    def __init__(self, file: str, **kwargs) -> None:
        super().__init__(**kwargs)
        check_text('COCOTags.file', file)
        self.file = self.path(file)
        content = COCOJSON(self.file)
        names = self._names(content)
        self._found: dict[str, set[int]] = {name: set() for name in names.values()}
        class_of = content.class_indices(self.classes)
        for annotation in content.annotations():
            name = self._named('image', annotation, names)
            self._found[name].add(self._named('category', annotation, class_of))

    def _named(self, kind: str, annotation: dict, known: Mapping[int, Named]) -> Named:
        """What the annotation calls by its id."""
        number = annotation.get(f'{kind}_id')
        if not isinstance(number, int) or number not in known:
            raise BadInput(
                f'{self.file}: annotation {shown(annotation.get("id"))} is of the unknown '
                f'{kind} {shown(number)}.'
            )
        return known[number]

    def _names(self, content: COCOJSON) -> dict[int, str]:
        """Names of the images by their ids."""
        names: dict[int, str] = {}
        seen: set[str] = set()
        for image in content.images():
            number, file = image.get('id'), image.get('file_name')
            if not isinstance(number, int) or not isinstance(file, str) or not file.strip():
                raise BadInput(f'{self.file}: the image entry {shown(image)} is unusable.')
            name = image_name(file)
            if number in names or name in seen:
                raise BadInput(f'{self.file}: the image {shown(file)} stands there twice.')
            names[number] = name
            seen.add(name)
        return names

    def __call__(self, name: str) -> list[str]:
        """Names of the categories annotated in the image."""
        if plain_name(name) not in self._found:
            raise FileNotFoundError(self.where(name))
        return [self.classes[index] for index in sorted(self._found[plain_name(name)])]

    def where(self, name: str) -> str:
        """The image and the file."""
        return f'{name} in {self.file}'
