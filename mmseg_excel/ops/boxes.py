"""Bounding boxes of the confident regions of maps (docs/method.md, section 7)."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor


def confident_boxes(maps: Tensor, threshold: float) -> Tensor:
    """Mark the bounding boxes of a map's confident regions; same shape and device, boolean."""
    cells = (maps * 255).to(torch.uint8).flatten(0, -3).cpu().numpy()
    masks = np.stack([_boxes_mask(cell, threshold) for cell in cells])
    return torch.from_numpy(masks).view(maps.shape).to(maps.device, non_blocking=True)


def _boxes_mask(cells: np.ndarray, threshold: float) -> np.ndarray:
    """Union of the boxes around 8-connected regions above the threshold.

    The contours of holes lie inside their region's box, so regions are all that counts. A box
    ends before the last row and column of the grid, as in the reference.
    """
    confident = (cells > int(threshold * cells.max())).astype(np.uint8)
    _, _, boxes, _ = cv2.connectedComponentsWithStats(confident, connectivity=8)
    mask = np.zeros(cells.shape, dtype=bool)
    height, width = cells.shape
    for x, y, w, h, _ in boxes[1:]:
        mask[y : min(y + h, height - 1), x : min(x + w, width - 1)] = True
    return mask
