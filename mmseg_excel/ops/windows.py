"""Sliding windows over images, and the mean of what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

IMAGES_A_PASS = 16  # windows of all images together, which bounds the memory of large photographs


@dataclass(frozen=True)
class Windows:
    """Windows as MMSegmentation slides them: the last ones move back until they end at the border.

    Attributes:
        crop_size: (height, width) of a window; an image's own where that is smaller.
        stride: Pixels from window to window, (down, to the right).
    """

    crop_size: tuple[int, int]
    stride: tuple[int, int]

    def within(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the windows of images of a size."""
        height, width = (min(crop, side) for crop, side in zip(self.crop_size, size, strict=True))
        return height, width

    def places(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """Top left corners (y, x) of the windows of images of a size, row by row."""
        rows, columns = (
            [min(start, side - crop) for start in range(0, side - crop + stride, stride)]
            for side, crop, stride in zip(size, self.within(size), self.stride, strict=True)
        )
        return [(y, x) for y in rows for x in columns]

    def average(self, answer: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """Answers of all windows, averaged where they overlap.

        Args:
            answer: Of windows (k * B, 3, h, w), k of each image: (k * B, C, h, w).
            images: (B, 3, H, W).

        Returns:
            (B, C, H, W).
        """
        size = images.shape[2:]
        height, width = self.within(size)
        places = self.places(size)
        at_once = max(IMAGES_A_PASS // len(images), 1)
        total, count = None, images.new_zeros(size)
        for first in range(0, len(places), at_once):
            areas = [
                (..., slice(y, y + height), slice(x, x + width))
                for y, x in places[first : first + at_once]
            ]
            answers = answer(torch.cat([images[area] for area in areas])).split(len(images))
            if total is None:
                total = answers[0].new_zeros(*answers[0].shape[:2], *size)
            for area, given in zip(areas, answers, strict=True):
                total[area] += given
                count[area] += 1
        return total / count
