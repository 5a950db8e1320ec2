"""Affinity refinement: patch maps spread along CLIP's attention (docs/method.md, section 7)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..clip.frozen_clip import CLIPTrace
from ..ops.boxes import confident_boxes


def last_attention(trace: CLIPTrace, num_layers: int, num_summed: int = 0) -> Tensor:
    """CLIP's own patch-to-patch attention A_l of its last layers.

    Where the trace kept none, it is computed now.

    Args:
        trace: The tower's computation.
        num_layers: How many of the last layers.
        num_summed: How many of them count as a sum over heads, the last ones; the others as a
            mean. Default: 0.

    Returns:
        (layers, B, P, P), float32.
    """
    heads, first_summed = trace.num_heads, len(trace.blocks) - num_summed
    maps = []
    for layer in range(len(trace.blocks))[-num_layers:]:
        summed = trace.blocks[layer].attention_over_heads(heads)[:, 1:, 1:]
        maps.append(summed if layer >= first_summed else summed / heads)
    return torch.stack(maps)


def transition_matrix(attention: Tensor, affinity: Tensor | None = None) -> Tensor:
    """Turn attention into the matrix that refines maps.

    Args:
        attention: Attention of the last layers, (layers, B, P, P).
        affinity: Predicted affinity (B, P, P), in the dynamic phase.

    Returns:
        (B, P, P).
    """
    if affinity is None:
        weight = attention.mean(dim=0)
    else:
        weight = _agreeing_layers_mean(attention) * affinity
    return _sinkhorn_squared(weight)


def _agreeing_layers_mean(attention: Tensor) -> Tensor:
    """Mean of the layers whose sum of affinity - attention is at most the average layer's.

    The affinity is the same in all of these sums, so it decides nothing: layers count whose
    attention among patches sums to no less than the average, which rounds less.
    """
    mass = attention.sum(dim=(2, 3), dtype=torch.float64)
    agrees = (mass >= mass.mean(dim=0)).to(attention.dtype)
    total = torch.einsum('lb,lbij->bij', agrees, attention)
    return total / (agrees.sum(dim=0) + 1e-5)[:, None, None]


def _sinkhorn_squared(weight: Tensor, rounds: int = 3) -> Tensor:
    """Normalise columns, then rows, in turn; symmetrise; square."""
    for _ in range(rounds):
        weight = weight / weight.sum(dim=1, keepdim=True)
        weight = weight / weight.sum(dim=2, keepdim=True)
    weight = (weight + weight.transpose(1, 2)) / 2
    return weight @ weight


def refine_maps(maps: Tensor, transition: Tensor, threshold: float) -> Tensor:
    """Spread maps from their confident regions.

    Args:
        maps: (B, K, g_h, g_w) in 0..1.
        transition: (B, P, P).
        threshold: τ, the share of a map's maximum that makes a cell confident.

    Returns:
        (B, K, g_h, g_w).
    """
    boxed = (maps * confident_boxes(maps, threshold)).flatten(2)
    return (boxed @ transition.transpose(1, 2)).view_as(maps)
