"""Image tags from one table for all images."""

from __future__ import annotations

from mmseg.registry import TASK_UTILS

from ...utils.images import without_image_suffix
from ..tag_tables import read_tag_table
from .base import TagSource


@TASK_UTILS.register_module()
class TableTags(TagSource):
    """A CSV, JSON or JSONL table (see ``tag_tables``); images stand there with or without suffix.

    Args:
        file: The table.

    Raises:
        FileNotFoundError, ValueError: of ``read_tag_table``.
    """

    def __init__(self, file: str, **kwargs) -> None:
        super().__init__(**kwargs)
        self.file = self.path(file)
        table = read_tag_table(self.file)
        self._tags = {without_image_suffix(image): tags for image, tags in table.items()} | table

    def __call__(self, name: str) -> list[str]:
        """Tags in the row of the image."""
        if name not in self._tags:
            raise FileNotFoundError(self.where(name))
        return self._tags[name]

    def where(self, name: str) -> str:
        """The image and its table."""
        return f'{name} in {self.file}'
