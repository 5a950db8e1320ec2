"""Random scaling relative to an image's own size."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import Resize
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS

from ...utils.bad_input import BadInput
from ...utils.checks import check_number, check_sequence
from ...utils.images import check_pixels
from .given import check_given

LARGEST_RATIO = 100


@TRANSFORMS.register_module()
class RandomScale(Resize):
    """Resize by a factor drawn uniformly from ``ratio_range``, keeping the proportions.

    mmcv's ``RandomResize`` draws relative to one fixed size; here the factor applies to each
    image's own size (docs/method.md, section 1). Never smaller than one pixel. Bilinear as Pillow
    does it, which averages where it shrinks.

    Args:
        ratio_range: Smallest and largest factor, at most 100. Default: (0.5, 2.0).

    Raises:
        BadInput: ``ratio_range`` is no such pair, or would make an image too large.
    """

    def __init__(self, ratio_range: tuple[float, float] = (0.5, 2.0)) -> None:
        super().__init__(scale=1, keep_ratio=False, backend='pillow')
        check_sequence('RandomScale.ratio_range', ratio_range, 2)
        for ratio in ratio_range:
            check_number('RandomScale.ratio_range', ratio, f'(0, {LARGEST_RATIO}]')
        if ratio_range[0] > ratio_range[1]:
            raise BadInput(
                f'RandomScale.ratio_range is {ratio_range}, but must name the smaller factor first.'
            )
        self.ratio_range = ratio_range

    @cache_randomness
    def _draw_ratio(self) -> float:
        return np.random.uniform(*self.ratio_range)

    def transform(self, results: dict) -> dict:
        """Resize the image, and the mask if there is one."""
        check_given(self, results, 'img')
        ratio = self._draw_ratio()
        height, width = results['img'].shape[:2]
        self.scale = max(1, int(width * ratio)), max(1, int(height * ratio))
        image = f'{results.get("img_path", "An image")}, scaled by RandomScale.ratio_range,'
        check_pixels(*self.scale, image)
        return super().transform(results)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(ratio_range={self.ratio_range})'
