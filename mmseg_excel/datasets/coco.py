"""MS COCO 2014 with image tags."""

from __future__ import annotations

from mmseg.registry import DATASETS

from ..text.vocabulary import COCO_CLASSES
from .palette import voc_palette
from .tagged import TaggedSegDataset


@DATASETS.register_module()
class COCOTagsDataset(TaggedSegDataset):
    """MS COCO 2014, 80 objects and background, as ``tools/prepare_coco.py`` lays it out.

    Args:
        ann_file: List of image names, e.g. ``'ImageSets/train.txt'``.
        way_out: See :class:`TaggedSegDataset`.
        **kwargs: Of :class:`TaggedSegDataset`. Recipes set
            ``tag_source=dict(type='TableTags', file='tags/train.json')``.
    """

    METAINFO = dict(
        classes=('background', *COCO_CLASSES),
        palette=voc_palette(1 + len(COCO_CLASSES)),
    )

    def __init__(
        self,
        ann_file: str,
        *,
        way_out: str = 'tools/prepare_coco.py makes this layout from the original downloads.',
        **kwargs,
    ) -> None:
        super().__init__(ann_file, way_out=way_out, **kwargs)
