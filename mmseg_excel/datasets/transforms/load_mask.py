"""Masks to evaluate against."""

from __future__ import annotations

from mmseg.datasets import LoadAnnotations
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadMask(LoadAnnotations):
    """mmseg's ``LoadAnnotations`` for test pipelines: checks the mask, and may find none.

    Images without a mask (a benchmark's test images, an inferencer's) pass unchanged, so one
    pipeline serves evaluation and prediction. Masks keep the size of their file, so this comes
    after the image was resized.

    Required keys: ``ori_shape``. Optional key: ``seg_map_path``. Added key: ``gt_seg_map``,
    uint8 (H, W).

    Raises:
        ValueError: the mask is a colour image, or is not of the image's size.
    """

    def transform(self, results: dict) -> dict:
        """Add ``gt_seg_map`` if the image has a mask."""
        if 'seg_map_path' not in results:
            return results
        results = super().transform(results)
        mask, (height, width) = results['gt_seg_map'], results['ori_shape'][:2]
        if mask.ndim > 2:
            raise ValueError(
                f'{results["seg_map_path"]} is a colour image; a mask holds one class index per '
                'pixel (a palette or grey PNG).'
            )
        if mask.size == height * width and 1 in (height, width):
            mask = mask.reshape(height, width)  # mmseg squeezes what is one pixel high or wide
        if mask.shape != (height, width):
            raise ValueError(
                f'{results["seg_map_path"]} has {mask.shape[::-1]} pixels, but its image '
                f'{results["img_path"]} has {(width, height)}.'
            )
        results['gt_seg_map'] = mask
        return results
