"""The last transform of every pipeline."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.structures import LabelData
from mmseg.datasets import PackSegInputs
from mmseg.registry import TRANSFORMS

from ...utils.checks import check_sequence, check_text
from .given import check_given


@TRANSFORMS.register_module()
class PackTaggedInputs(PackSegInputs):
    """mmseg's ``PackSegInputs``, which also packs image tags where there are any.

    The data sample gains ``gt_tags``, a ``LabelData`` with the fields ``multi_hot``, float32
    (n,), and ``order``, the place of each class among the tags, int64 (n,); and ``foreground``, the
    names of these n classes, which the segmentor compares with its own.

    Args:
        meta_keys: Default: those of ``PackSegInputs`` and ``name``, the image's name in its list.

    Raises:
        BadInput: ``meta_keys`` is no list of names.
    """

    meta_keys: Sequence[str]

    def __init__(self, meta_keys: Sequence[str] | None = None) -> None:
        super().__init__()
        if meta_keys is not None:
            check_sequence('PackTaggedInputs.meta_keys', meta_keys)
            for key in meta_keys:
                check_text('PackTaggedInputs.meta_keys', key)
        self.meta_keys = meta_keys or (*self.meta_keys, 'name')

    def transform(self, results: dict) -> dict:
        """Pack image, mask and tags."""
        check_given(self, results, *(('gt_tag_order',) if 'gt_tags' in results else ()))
        packed = super().transform(results)
        if 'gt_tags' in results:
            tags, order = (torch.from_numpy(results[k]) for k in ('gt_tags', 'gt_tag_order'))
            # As metainfo they stay on the host, where they are counted without a wait.
            packed['data_samples'].gt_tags = LabelData(metainfo=dict(multi_hot=tags, order=order))
        if 'foreground' in results:
            packed['data_samples'].set_metainfo(dict(foreground=results['foreground']))
        return packed
