"""Resizing to whole patches, as CLIP-ES does."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from PIL import Image

from ...utils.bad_input import BadInput
from ...utils.checks import check_whole
from .given import check_given


@TRANSFORMS.register_module()
class ResizeToPatches(BaseTransform):
    """Enlarge an image to the next whole number of patches on each side.

    Pillow's bicubic on bytes (antialiased, rounded to bytes again); OpenCV's would change up to a
    third of the labels.

    Required key: ``img``, uint8 (H, W, 3). Modified keys: ``img``, ``img_shape``.

    Args:
        patch_size: Side of a patch in pixels. Default: 16.

    Raises:
        BadInput: ``patch_size`` is none, or the image is not of bytes.
    """

    def __init__(self, patch_size: int = 16) -> None:
        check_whole('ResizeToPatches.patch_size', patch_size, '[1, 1024]')
        self.patch_size = patch_size

    def transform(self, results: dict) -> dict:
        """Resize the image; the mask keeps its size."""
        check_given(self, results, 'img')
        if results['img'].dtype != np.uint8:
            raise BadInput(
                f'ResizeToPatches is given an image of {results["img"].dtype}, but resizes bytes: '
                'load it without to_float32.'
            )
        height, width = (
            -(-side // self.patch_size) * self.patch_size for side in results['img'].shape[:2]
        )
        resized = Image.fromarray(results['img']).resize((width, height), Image.Resampling.BICUBIC)
        results['img'] = np.asarray(resized)
        results['img_shape'] = (height, width)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(patch_size={self.patch_size})'
