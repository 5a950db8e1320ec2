"""Bilinear resizing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Resize (B, C, h, w) to (B, C, *size)."""
    return F.interpolate(x, tuple(size), mode='bilinear', align_corners=False)


def resize_by_products(x: Tensor, size: Sequence[int]) -> Tensor:
    """Resize (B, C, h, w) to (B, C, *size) in float32, its gradient the same bits every time.

    Two matrix products; equals :func:`resize` but for rounding. The backward pass of that one adds
    up by atomic operations on CUDA, in an order that changes from run to run; matrix products have
    a deterministic kernel.
    """
    return mean_of_resized([x], size)


def mean_of_resized(maps: Sequence[Tensor], size: Sequence[int]) -> Tensor:
    """Resize maps (B, C, h_i, w_i) of any sizes to (B, C, *size) and average them, in float32.

    Resizing is linear: the rows of all maps together are one matrix, so that the large result is
    written once, however many maps there are.
    """
    height, width = size
    rows, parts = [], []
    with torch.autocast(maps[0].device.type, enabled=False):
        for x in maps:
            rows.append(_interpolation(x.shape[2], height, x.device) / len(maps))
            parts.append(x.float() @ _interpolation(x.shape[3], width, x.device).T)
        return torch.cat(rows, dim=1) @ torch.cat(parts, dim=2)


def _interpolation(old: int, new: int, device: torch.device) -> Tensor:
    """Weights of each old sample in each new one, (new, old)."""
    identity = torch.eye(old, device=device)[None]
    return F.interpolate(identity, size=new, mode='linear', align_corners=False)[0].T


def resize_by(x: Tensor, factors: Sequence[float], size: Sequence[int]) -> Tensor:
    """Resize (B, C, h, w) by exact factors, bilinearly, and keep (height, width) of the result.

    For grids that reach beyond the picture: the factors say how large a cell becomes, the size
    how much of the result belongs to the picture.
    """
    resized = F.interpolate(
        x,
        scale_factor=tuple(factors),
        mode='bilinear',
        align_corners=False,
        recompute_scale_factor=False,
    )
    missing = [max(side - other, 0) for side, other in zip(size, resized.shape[2:], strict=True)]
    if any(missing):  # a rounded-down last row or column
        resized = F.pad(resized, (0, missing[1], 0, missing[0]), mode='replicate')
    return resized[..., : size[0], : size[1]]
