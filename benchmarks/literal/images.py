"""Normalised images and back (docs/method.md, sections 1 and 7)."""

from __future__ import annotations

import torch
from torch import Tensor

MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)


def normalise(images: Tensor) -> Tensor:
    """Turn RGB bytes (B, 3, H, W) into the network's input."""
    mean, std = _statistics(images)
    return (images.float() - mean) / std


def denormalise(images: Tensor) -> Tensor:
    """Return images (B, 3, H, W) between 0 and 1, cut down to whole 255ths.

    The product and the sum are rounded one after the other: a fused multiply-add would cut
    differently wherever the result lies next to an integer.
    """
    mean, std = _statistics(images)
    return (images * std + mean).to(torch.uint8) / 255


def _statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    mean = torch.tensor(MEAN, device=images.device).reshape(3, 1, 1)
    return mean, torch.tensor(STD, device=images.device).reshape(3, 1, 1)
