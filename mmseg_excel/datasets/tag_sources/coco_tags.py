"""Image tags from MS COCO's annotation files."""

from __future__ import annotations

from pathlib import Path

from mmseg.registry import TASK_UTILS

from ..coco_json import COCOJSON
from .base import TagSource


@TASK_UTILS.register_module()
class COCOTags(TagSource):
    """The categories annotated in an image, crowds included; an image without any has no tag.

    The file is read as a stream once, when the data set is loaded (half a minute for the 82 783
    images of train2014; the table that ``tools/prepare_coco.py`` writes loads at once).

    Args:
        file: E.g. ``'annotations/instances_train2014.json'``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is broken, or its categories are not the data set's classes.
    """

    def __init__(self, file: str, **kwargs) -> None:
        super().__init__(**kwargs)
        self.file = self.path(file)
        content = COCOJSON(self.file)
        class_of = content.class_indices(self.classes)
        found: dict[int, set[int]] = {}
        for annotation in content.annotations():
            category = annotation.get('category_id')
            if category not in class_of:
                raise ValueError(
                    f'{self.file}: annotation {annotation.get("id")} is of the unknown category '
                    f'{category}.'
                )
            found.setdefault(annotation.get('image_id'), set()).add(class_of[category])
        self._found = {
            str(Path(image['file_name']).with_suffix('')): sorted(found.get(image['id'], ()))
            for image in content.images()
        }

    def __call__(self, name: str) -> list[str]:
        """Names of the categories annotated in the image."""
        if name not in self._found:
            raise FileNotFoundError(self.where(name))
        return [self.classes[index] for index in self._found[name]]

    def where(self, name: str) -> str:
        """The image and the file."""
        return f'{name} in {self.file}'
