"""Test-time augmentation as WeCLIP does it: proportions kept, views averaged at the patches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..clip.frozen_clip import pad_to_multiple
from ..ops.resize import resize, resize_by
from ..utils.checks import check_whole
from .tta import SIDE, LogitTTAModel


@MODELS.register_module()
class LongSideTTAModel(LogitTTAModel):
    """Views with the proportions of the image, averaged at the patch grid of the first scale.

    The long side becomes ``size`` pixels at scale 1; sides are rounded down. Sides that are no
    whole number of patches are padded, which leaves the last patches of each scale different
    shares of the picture; the averages take that into account.

    Args:
        module: The segmentor, or its config.
        size: Long side at scale 1, in pixels. Default: 512.
        scales: Factors of it; the first one's patches take the average. Default: (1.0, 0.75).
        **kwargs: Of :class:`LogitTTAModel`.
    """

    def __init__(
        self,
        module: dict | nn.Module,
        size: int = 512,
        scales: Sequence[float] = (1.0, 0.75),
        **kwargs,
    ) -> None:
        check_whole('LongSideTTAModel.size', size, SIDE)
        super().__init__(module, size, scales, **kwargs)
        self.size = size

    def _multi_scale_logits(
        self, images: list[Tensor], shapes: Sequence[tuple[int, int]]
    ) -> list[Tensor]:
        return [
            self._logits_of(image, shape)[0] for image, shape in zip(images, shapes, strict=True)
        ]

    def _logits_of(self, image: Tensor, shape: tuple[int, int]) -> Tensor:
        """Logits of one image (1, 3, H, W) at its own size, (1, n+1, H, W)."""
        ratio = self.size / max(shape)
        image = resize(image, [int(side * ratio) for side in shape])
        first, *others = (self._view(image, scale) for scale in self.scales)
        total, sides = first
        for logits, other_sides in others:
            factors = [side / other for side, other in zip(sides, other_sides, strict=True)]
            total = total + resize_by(logits, factors, total.shape[2:])
        patch = self.module.backbone.patch_size
        factors = [patch * side / view for side, view in zip(shape, sides, strict=True)]
        return resize_by(total / len(self.scales), factors, shape)

    def _view(self, image: Tensor, scale: float) -> tuple[Tensor, tuple[int, int]]:
        """Patch logits of a view and its mirror, (1, n+1, g_h, g_w), and the view's sides."""
        height, width = image.shape[2:]
        sides = int(height * scale), int(width * scale)
        view = image if sides == (height, width) else _scale(image, scale)
        # Padded before it is mirrored: the patches of both see the same pixels.
        return self._view_logits(pad_to_multiple(view, self.module.backbone.patch_size)), sides


def _scale(image: Tensor, factor: float) -> Tensor:
    return torch.nn.functional.interpolate(
        image, scale_factor=factor, mode='bilinear', align_corners=False
    )
