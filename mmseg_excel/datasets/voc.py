"""PASCAL VOC 2012 with image tags."""

from __future__ import annotations

from mmseg.datasets import PascalVOCDataset
from mmseg.registry import DATASETS

from .tagged import TaggedSegDataset


@DATASETS.register_module()
class VOCTagsDataset(TaggedSegDataset):
    """PASCAL VOC 2012 in its original layout; tags from the XML annotations.

    Args:
        ann_file: List of image names, e.g. ``'ImageSets/Segmentation/train_aug.txt'``.
        data_prefix: ``img_path`` and, for evaluation only, ``seg_map_path``.
            Default: ``dict(img_path='JPEGImages')``.
        tag_source: Default: ``dict(type='XMLTags')``, which counts difficult objects.
        **kwargs: Of :class:`TaggedSegDataset`.
    """

    METAINFO = PascalVOCDataset.METAINFO

    def __init__(
        self,
        ann_file: str,
        *,
        data_prefix: dict | None = None,
        tag_source: dict | None = dict(type='XMLTags'),  # noqa: B006 (configs are never changed)
        way_out: str = 'tools/prepare_voc.py lists what VOC 2012 needs and where it comes from.',
        **kwargs,
    ) -> None:
        super().__init__(
            ann_file,
            data_prefix=data_prefix or dict(img_path='JPEGImages'),
            tag_source=tag_source,
            way_out=way_out,
            **kwargs,
        )
