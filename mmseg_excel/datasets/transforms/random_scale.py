"""Random scaling relative to an image's own size."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import Resize
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomScale(Resize):
    """Resize by a factor drawn uniformly from ``ratio_range``, keeping the proportions.

    mmcv's ``RandomResize`` draws relative to one fixed size; here the factor applies to each
    image's own size (docs/method.md, section 1). Never smaller than one pixel. Bilinear as Pillow
    does it, which averages where it shrinks.

    Args:
        ratio_range: Smallest and largest factor. Default: (0.5, 2.0).
    """

    def __init__(self, ratio_range: tuple[float, float] = (0.5, 2.0)) -> None:
        super().__init__(scale=1, keep_ratio=False, backend='pillow')
        self.ratio_range = ratio_range

    @cache_randomness
    def _draw_ratio(self) -> float:
        return np.random.uniform(*self.ratio_range)

    def transform(self, results: dict) -> dict:
        """Resize the image, and the mask if there is one."""
        ratio = self._draw_ratio()
        height, width = results['img'].shape[:2]
        self.scale = max(1, int(width * ratio)), max(1, int(height * ratio))
        return super().transform(results)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(ratio_range={self.ratio_range})'
