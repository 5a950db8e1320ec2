"""Bounding boxes of the confident regions of maps (docs/method.md, section 7)."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from .operators import has_kernels, operator


def confident_boxes(maps: Tensor, threshold: float) -> Tensor:
    """Mark the bounding boxes of a map's confident regions; same shape and device, boolean."""
    cells = (maps * 255).to(torch.uint8).flatten(0, -3)
    least = (cells.amax(dim=(1, 2), keepdim=True).double() * threshold).to(torch.uint8)
    confident = cells > least
    found = _boxes_by_kernel(confident) if has_kernels(maps) else boxes_around(confident)
    return found.view(maps.shape)


def boxes_around(confident: Tensor) -> Tensor:
    """Mark the boxes around 8-connected regions of (M, g_h, g_w), boolean.

    Regions are found by OpenCV, on the host.
    """
    masks = np.stack([_boxes_mask(cells) for cells in confident.cpu().numpy()])
    return torch.from_numpy(masks).to(confident.device)


def _boxes_mask(confident: np.ndarray) -> np.ndarray:
    """Union of the boxes around regions (g_h, g_w).

    The contours of holes lie inside their region's box, so regions are all that counts. A box
    ends before the last row and column of the grid, as in the reference.
    """
    _, _, boxes, _ = cv2.connectedComponentsWithStats(confident.astype(np.uint8), connectivity=8)
    mask = np.zeros(confident.shape, dtype=bool)
    height, width = confident.shape
    for x, y, w, h, _ in boxes[1:]:
        mask[y : min(y + h, height - 1), x : min(x + w, width - 1)] = True
    return mask


def _launch(confident: Tensor) -> Tensor:
    from .kernels import boxes

    return boxes.boxes_around(confident)


_boxes_by_kernel = operator(
    'boxes_around(Tensor confident) -> Tensor', cuda=_launch, shaped=torch.empty_like
)
