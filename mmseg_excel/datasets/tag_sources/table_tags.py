"""Image tags from one table for all images."""

from __future__ import annotations

from mmseg.registry import TASK_UTILS

from ...utils.bad_input import BadInput
from ...utils.checks import check_text
from ...utils.images import without_image_suffix
from ..lists import plain_name
from ..tag_tables import read_tag_table
from .base import TagSource


@TASK_UTILS.register_module()
class TableTags(TagSource):
    """A CSV, JSON or JSONL table (see ``tag_tables``); images stand there with or without suffix.

    Args:
        file: The table.

    Raises:
        FileNotFoundError, BadInput: of ``read_tag_table``.
    """

    def __init__(self, file: str, **kwargs) -> None:
        super().__init__(**kwargs)
        check_text('TableTags.file', file)
        self.file = self.path(file)
        table = read_tag_table(self.file)
        self._tags: dict[str, dict[str, list[str]]] = {}  # by name, then by its spellings
        for image, tags in table.items():
            self._tags.setdefault(_key(image), {})[image] = tags

    def __call__(self, name: str) -> list[str]:
        """Tags in the row of the image."""
        rows = self._tags.get(_key(name), {})
        if not rows:
            raise FileNotFoundError(self.where(name))
        if len(rows) > 1:
            raise BadInput(f'{self.where(name)} stands there twice, as {" and ".join(rows)}')
        return next(iter(rows.values()))

    def where(self, name: str) -> str:
        """The image and its table."""
        return f'{name} in {self.file}'


def _key(image: str) -> str:
    return plain_name(without_image_suffix(image))
