"""Image tags from masks, for those who have masks and want to play by the rules of tags."""

from __future__ import annotations

from mmseg.registry import TASK_UTILS

from ...utils.checks import check_text
from ..masks import labels_in, read_mask
from .base import TagSource


@TASK_UTILS.register_module()
class MaskTags(TagSource):
    """The classes that appear in an image's mask; 0 and 255 are no tags.

    Opens every mask once when the data set is loaded.

    Args:
        folder: Folder of the masks, palette or grey PNGs.
        suffix: Their suffix. Default: ``'.png'``.
    """

    def __init__(self, folder: str, suffix: str = '.png', **kwargs) -> None:
        super().__init__(**kwargs)
        check_text('MaskTags.folder', folder)
        check_text('MaskTags.suffix', suffix)
        self.folder = folder
        self.suffix = suffix

    def __call__(self, name: str) -> list[str]:
        """Names of the classes in ``<folder>/<name><suffix>``."""
        return tags_in_mask(read_mask(self.where(name), 1 + len(self.classes)), self.classes)

    def where(self, name: str) -> str:
        """The mask."""
        return self.path(self.folder, name + self.suffix)


def tags_in_mask(mask, classes) -> list[str]:
    """Names of the n foreground ``classes`` that appear in a mask, (H, W)."""
    return [classes[label - 1] for label in labels_in(mask) if label]
