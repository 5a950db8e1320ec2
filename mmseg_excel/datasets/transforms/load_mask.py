"""Masks to evaluate against."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from ...utils.bad_input import BadInput
from ..masks import IGNORED, read_mask
from .given import check_given


@TRANSFORMS.register_module()
class LoadMask(BaseTransform):
    """Load the mask of an image, if it has one; mmseg's ``LoadAnnotations`` for test pipelines.

    Images without a mask (a benchmark's test images, an inferencer's) pass unchanged, so one
    pipeline serves evaluation and prediction. Masks keep the size of their file, so this comes
    after the image was resized.

    Required keys: ``ori_shape``. Optional keys: ``seg_map_path``, and of the data set
    ``foreground``, ``label_map``, ``reduce_zero_label``. Added key: ``gt_seg_map``, uint8 (H, W).

    Raises:
        FileNotFoundError: there is no such mask.
        BadInput: the mask is no palette or grey image, holds labels that are no class, or is not
            of the image's size.
    """

    def transform(self, results: dict) -> dict:
        """Add ``gt_seg_map`` if the image has a mask."""
        check_given(self, results)
        if 'seg_map_path' not in results:
            return results
        check_given(self, results, 'ori_shape')
        mask = read_mask(results['seg_map_path'], _num_labels(results))
        height, width = results['ori_shape'][:2]
        if mask.shape != (height, width):
            raise BadInput(
                f'{results["seg_map_path"]} has {mask.shape[::-1]} pixels, but its image '
                f'{results.get("img_path", "")} has {(width, height)}.'
            )
        results['gt_seg_map'] = _as_classes(mask, results)
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results


def _num_labels(results: Mapping) -> int:
    """How many labels mean anything in the file."""
    if results.get('label_map'):
        num_labels = 1 + max(results['label_map'])
    elif 'foreground' in results:
        num_labels = 1 + len(results['foreground'])
    else:
        return IGNORED
    return num_labels + bool(results.get('reduce_zero_label'))


def _as_classes(mask: np.ndarray, results: Mapping) -> np.ndarray:
    """Class indices of the labels in the file."""
    meaning = np.arange(1 + IGNORED, dtype=np.uint8)
    for label, index in (results.get('label_map') or {}).items():
        meaning[label] = index
    if results.get('reduce_zero_label'):
        meaning = np.concatenate([[IGNORED], meaning[: IGNORED - 1], [IGNORED]])
    return meaning[mask].astype(np.uint8)
