"""A Gaussian filter on a lattice, step by step: splat, blur, slice.

Every sum is added up in a fixed order, without atomics: the same bits every time. On a GPU with
Triton each step is one launch for all classes; elsewhere PyTorch does the same.

Memory for a lattice may have room to spare, so that nobody has to wait for the number of its
points: what lies behind them is neither written nor looked at.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .operators import has_kernels, operator


def splat(
    values: Tensor, sources: Tensor, weights: Tensor, starts: Tensor, count: Tensor
) -> Tensor:
    """Let lattice points add up the values of the pixels around them.

    Args:
        values: float32, (P, C).
        sources: The pixels around one lattice point after the other's, int32 (E,).
        weights: Their shares, float32 (E,).
        starts: Where those of each lattice point start, and where the last one's end,
            int32 (M + 1,).
        count: How many of the M lattice points there are, int32 (1,).

    Returns:
        float32, (M, C).
    """
    if has_kernels(values):
        return _splat_by_kernel(values, sources, weights, starts, count)
    return plain_splat(values, sources, weights, starts)


def plain_splat(values: Tensor, sources: Tensor, weights: Tensor, starts: Tensor) -> Tensor:
    """The same on any device, for all of the memory."""
    return F.embedding_bag(
        sources, values, starts, mode='sum', per_sample_weights=weights, include_last_offset=True
    )


def blur(lattice: Tensor, neighbours: Tensor, count: Tensor) -> Tensor:
    """Add to each lattice point half of both its neighbours in one direction.

    Args:
        lattice: float32, (M, C).
        neighbours: The two of each point, int32 (M, 2); -1 where there is none.
        count: How many of the M lattice points there are, int32 (1,).

    Returns:
        float32, (M, C).
    """
    if has_kernels(lattice):
        return _blur_by_kernel(lattice, neighbours, count)
    return plain_blur(lattice, neighbours)


def plain_blur(lattice: Tensor, neighbours: Tensor) -> Tensor:
    """The same on any device, for all of the memory."""
    around = F.embedding_bag(
        neighbours.clamp(min=0),
        lattice,
        mode='sum',
        per_sample_weights=(neighbours >= 0).to(lattice.dtype),
    )
    return around.mul_(0.5).add_(lattice)


def add_slice(
    logits: Tensor, lattice: Tensor, vertices: Tensor, weights: Tensor, normalise: bool
) -> Tensor:
    """Add to each pixel's logits what the lattice points around it tell.

    Args:
        logits: float32, (P, C).
        lattice: float32, (M, C).
        vertices: The K lattice points around each pixel, int32 (P, K).
        weights: Of what they tell, float32 (P, K).
        normalise: Whether to return probabilities, the softmax over classes.

    Returns:
        float32, (P, C).
    """
    if has_kernels(logits):
        return _add_slice_by_kernel(logits, lattice, vertices, weights, normalise)
    return plain_add_slice(logits, lattice, vertices, weights, normalise)


def plain_add_slice(
    logits: Tensor, lattice: Tensor, vertices: Tensor, weights: Tensor, normalise: bool
) -> Tensor:
    """The same on any device."""
    told = F.embedding_bag(vertices, lattice, mode='sum', per_sample_weights=weights)
    told += logits
    return told.softmax(dim=1) if normalise else told


def _launch_splat(
    values: Tensor, sources: Tensor, weights: Tensor, starts: Tensor, count: Tensor
) -> Tensor:
    from .kernels import lattice_filter

    return lattice_filter.splat(values, sources, weights, starts, count)


def _launch_blur(lattice: Tensor, neighbours: Tensor, count: Tensor) -> Tensor:
    from .kernels import lattice_filter

    return lattice_filter.blur(lattice, neighbours, count)


def _launch_add_slice(
    logits: Tensor, lattice: Tensor, vertices: Tensor, weights: Tensor, normalise: bool
) -> Tensor:
    from .kernels import lattice_filter

    return lattice_filter.add_slice(logits, lattice, vertices, weights, normalise)


_splat_by_kernel = operator(
    'splat(Tensor values, Tensor sources, Tensor weights, Tensor starts, Tensor count) -> Tensor',
    cuda=_launch_splat,
    shaped=lambda values, sources, weights, starts, count: values.new_empty(
        len(starts) - 1, values.shape[1]
    ),
)
_blur_by_kernel = operator(
    'blur(Tensor lattice, Tensor neighbours, Tensor count) -> Tensor',
    cuda=_launch_blur,
    shaped=lambda lattice, neighbours, count: torch.empty_like(lattice),
)
_add_slice_by_kernel = operator(
    'add_slice(Tensor logits, Tensor lattice, Tensor vertices, Tensor weights, bool normalise)'
    ' -> Tensor',
    cuda=_launch_add_slice,
    shaped=lambda logits, lattice, vertices, weights, normalise: torch.empty_like(logits),
)
