"""The last transform of every pipeline."""

from __future__ import annotations

import torch
from mmengine.structures import LabelData
from mmseg.datasets import PackSegInputs
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackTaggedInputs(PackSegInputs):
    """mmseg's ``PackSegInputs``, which also packs image tags where there are any.

    The data sample gains ``gt_tags``, a ``LabelData`` with the field ``multi_hot``, float32 (n,).

    Args:
        meta_keys: Of ``PackSegInputs``.

    Raises:
        ValueError: the mask is a colour image, or is not of the image's size.
    """

    def transform(self, results: dict) -> dict:
        """Pack image, mask and tags."""
        _check_mask(results)
        packed = super().transform(results)
        if 'gt_tags' in results:
            tags = torch.from_numpy(results['gt_tags'])
            packed['data_samples'].gt_tags = LabelData(multi_hot=tags)
        return packed


def _check_mask(results: dict) -> None:
    """Masks are loaded only to evaluate against, and then at the size of the file."""
    mask = results.get('gt_seg_map')
    if mask is None:
        return
    ori_shape = tuple(results['ori_shape'])
    if mask.ndim < 2 and mask.size == ori_shape[0] * ori_shape[1]:
        # mmseg squeezes the masks of images one pixel high or wide.
        results['gt_seg_map'] = mask.reshape(ori_shape)
        return
    path = results.get('seg_map_path', 'The mask')
    if mask.ndim != 2:
        raise ValueError(
            f'{path} is a colour image; a mask holds one class index per pixel '
            '(a palette or grey PNG).'
        )
    if mask.shape not in (ori_shape, tuple(results['img_shape'])):
        raise ValueError(
            f'{path} has {mask.shape[1]}x{mask.shape[0]} pixels, but its image '
            f'{results.get("img_path", "")} has {ori_shape[1]}x{ori_shape[0]}.'
        )
