"""The toy world as a data set."""

from __future__ import annotations

from mmseg.registry import DATASETS

from ..text.vocabulary import TOY_CLASSES
from .toy.palette import TOY_PALETTE
from .voc import VOCTagsDataset


@DATASETS.register_module()
class ToyDataset(VOCTagsDataset):
    """Generated scenes in PASCAL VOC's layout (XML tags, palette masks) with the toy's classes."""

    METAINFO = dict(
        classes=('background', *TOY_CLASSES), palette=[list(colour) for colour in TOY_PALETTE]
    )

    def __init__(
        self,
        ann_file: str,
        *,
        way_out: str = 'tools/make_toy_world.py makes it.',
        **kwargs,
    ) -> None:
        super().__init__(ann_file, way_out=way_out, **kwargs)
