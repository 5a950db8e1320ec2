"""The two losses and their labels (docs/method.md, section 8)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORED = 255


def segmentation_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Average the mean cross-entropies of background pixels and of foreground pixels.

    Args:
        logits: (B, n + 1, g, g), resized here to the labels' size.
        labels: (B, S, S) class ids, 0 background, 255 ignored.
    """
    logits = F.interpolate(logits, labels.shape[-2:], mode='bilinear', align_corners=False)
    labels = labels.long()
    background = labels == 0
    foreground = (labels != 0) & (labels != IGNORED)
    return (
        masked_cross_entropy(logits, labels, background)
        + masked_cross_entropy(logits, labels, foreground)
    ) / 2


def masked_cross_entropy(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Sum the cross-entropy over the mask and divide by its size + 1e-6."""
    kept = labels.masked_fill(~mask, IGNORED)
    total = F.cross_entropy(logits, kept, ignore_index=IGNORED, reduction='sum')
    return total / (mask.sum() + 1e-6)


def diversity_loss(attn_pred: Tensor, pairs: Tensor) -> Tensor:
    """Pull the predicted affinity (B, P, P) towards the pair labels (B, P, P) of 0, 1 or 255."""
    positive = pairs == 1
    negative = pairs == 0
    pull = (positive * (1 - attn_pred)).sum() / (positive.sum() + 1)
    push = (negative * attn_pred).sum() / (negative.sum() + 1)
    return (pull + push) / 2


def pair_labels(labels: Tensor, side: int, radius: int = 8) -> Tensor:
    """Label every pair of patches 1 (same class), 0 (different) or 255 (ignored), (B, P, P).

    Args:
        labels: (B, S, S) class ids, 255 ignored.
        side: g.
        radius: Largest Chebyshev distance of a labelled pair.
    """
    small = F.interpolate(labels[:, None].float(), (side, side), mode='nearest')
    near = radius_mask(side, side, radius).to(labels.device)
    pairs = []
    for patches in small.flatten(1):
        same = (patches[:, None] == patches[None, :]).to(torch.uint8)
        known = patches != IGNORED
        same[~(known[:, None] & known[None, :] & near)] = IGNORED
        pairs.append(same)
    return torch.stack(pairs)


def radius_mask(height: int, width: int, radius: int) -> Tensor:
    """Return which pairs of cells lie within the Chebyshev distance, (P, P) bool."""
    rows = torch.arange(height).repeat_interleave(width)
    columns = torch.arange(width).repeat(height)
    down = (rows[:, None] - rows[None, :]).abs()
    right = (columns[:, None] - columns[None, :]).abs()
    return torch.maximum(down, right) <= radius
