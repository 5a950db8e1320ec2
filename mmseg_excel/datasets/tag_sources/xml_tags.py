"""Image tags from PASCAL VOC's XML annotations."""

from __future__ import annotations

from xml.etree import ElementTree

from mmseg.registry import TASK_UTILS

from .base import TagSource


@TASK_UTILS.register_module()
class XMLTags(TagSource):
    """One XML file per image; every object counts, those marked ``difficult`` too.

    Args:
        folder: Folder of the XML files. Default: ``'Annotations'``.
    """

    def __init__(self, folder: str = 'Annotations', **kwargs) -> None:
        super().__init__(**kwargs)
        self.folder = folder

    def __call__(self, name: str) -> list[str]:
        """Names of the objects in ``<folder>/<name>.xml``."""
        path = self.where(name)
        try:
            annotation = ElementTree.parse(path).getroot()
        except FileNotFoundError:
            raise FileNotFoundError(path) from None
        except ElementTree.ParseError as error:
            raise ValueError(f'{path} is not XML ({error})') from None
        # Only direct children: the parts of a person (head, hand, foot) have names as well.
        names = [found.findtext('name') for found in annotation.findall('object')]
        if None in names:
            raise ValueError(f'{path} has an object without a name')
        return [name.strip() for name in names]

    def where(self, name: str) -> str:
        """The XML file."""
        return self.path(self.folder, f'{name}.xml')
