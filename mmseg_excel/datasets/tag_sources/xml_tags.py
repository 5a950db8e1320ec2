"""Image tags from PASCAL VOC's XML annotations."""

from __future__ import annotations

from xml.etree import ElementTree

from mmseg.registry import TASK_UTILS

from ...utils.bad_input import BadInput
from ...utils.checks import check_text, in_one_line
from ...utils.text_file import read_bytes
from .base import TagSource

MOST_BYTES = 2**20


@TASK_UTILS.register_module()
class XMLTags(TagSource):
    """One XML file per image; every object counts, those marked ``difficult`` too.

    Args:
        folder: Folder of the XML files. Default: ``'Annotations'``.
    """

    def __init__(self, folder: str = 'Annotations', **kwargs) -> None:
        super().__init__(**kwargs)
        check_text('XMLTags.folder', folder)
        self.folder = folder

    def __call__(self, name: str) -> list[str]:
        """Names of the objects in ``<folder>/<name>.xml``."""
        path = self.where(name)
        annotation = _parse(path)
        # Only direct children: the parts of a person (head, hand, foot) have names as well.
        names = [found.findtext('name') for found in annotation.findall('object')]
        stripped = [name.strip() for name in names if name is not None]
        if len(stripped) < len(names):
            raise BadInput(f'{path} has an object without a name')
        return stripped

    def where(self, name: str) -> str:
        """The XML file."""
        return self.path(self.folder, f'{name}.xml')


def _parse(path: str) -> ElementTree.Element:
    try:
        text = read_bytes(path, 'XML annotation', MOST_BYTES)
    except FileNotFoundError:
        raise FileNotFoundError(path) from None
    # VOC's files have none, and entities can make a gigabyte of a line.
    if b'<!DOCTYPE' in text or b'<!ENTITY' in text:
        raise BadInput(f'{path} has a document type, which no annotation needs')
    try:
        annotation = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise BadInput(f'{path} is not XML ({in_one_line(error)})') from None
    if annotation.tag != 'annotation':
        raise BadInput(f'{path} is not an annotation but a <{annotation.tag[:40]}>')
    return annotation
