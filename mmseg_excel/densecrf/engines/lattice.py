"""The permutohedral lattice, in PyTorch: the filter of DenseCRF on any device.

Adams, Baek and Davis, "Fast High-Dimensional Filtering Using the Permutohedral Lattice" (2010).
Points are placed on the lattice by pydensecrf's own operations in fp32, one by one in its order, so
that both find the same simplices. Everything is added up in a fixed order: the same bits every
time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...ops.row_sums import row_sums

MOST_KEYS = 2**62
WIDEST = 2**15  # pydensecrf counts in 16 bits
VECTOR = 4  # pydensecrf computes this many points at once


class PermutohedralLattice:
    """A Gaussian filter of unit width over points of d features.

    Args:
        features: float32 (B, N, d): the points of B clouds that know nothing of each other.
        strides: What a lattice point's key counts a step along each of its first d coordinates,
            see :func:`strides_of`.
    """

    def __init__(self, features: Tensor, strides: Sequence[int]) -> None:
        clouds, num_points, dims = features.shape
        steps = torch.tensor(strides, device=features.device)
        # pydensecrf fills its last vector up with points of no weight at zero: what they touch
        # is part of the lattice.
        filled = F.pad(features, (0, 0, 0, -num_points % VECTOR))
        keys, weights = _simplices(filled.flatten(0, 1), steps[:dims])
        keys = keys.unflatten(0, (clouds, -1))
        keys += steps[dims] * torch.arange(clouds, device=features.device)[:, None, None]
        points, vertices = torch.unique(keys, return_inverse=True)
        self._weights = weights.unflatten(0, (clouds, -1))[:, :num_points].flatten(0, 1)
        self._vertices = vertices[:, :num_points].flatten(0, 1)
        self._blurs = [_with_neighbours(points, step) for step in steps_along(strides[:dims])]
        self._splat = _sorted_by_vertex(self._vertices, self._weights, len(points))
        self._slice_weights = self._weights / (1 + 2.0**-dims)

    def filter(self, values: Tensor) -> Tensor:
        """Weighted sums over all points.

        Args:
            values: float32 (B * N, C).

        Returns:
            The same shape.
        """
        sources, weights, starts = self._splat
        lattice = row_sums(values, sources, weights, starts)
        for rows, weights in self._blurs:
            lattice = row_sums(lattice, rows, weights)
        return row_sums(lattice, self._vertices, self._slice_weights)


def _sorted_by_vertex(
    vertices: Tensor, weights: Tensor, num_points: int
) -> tuple[Tensor, Tensor, Tensor]:
    """For the splat: points around one lattice point after the other, weights, and their starts."""
    ordered, order = vertices.flatten().sort(stable=True)
    starts = torch.searchsorted(ordered, torch.arange(num_points + 1, device=vertices.device))
    return order // vertices.shape[1], weights.flatten()[order], starts


def strides_of(extents: Sequence[float], clouds: int = 1) -> list[int] | None:
    """What a key counts a step along each coordinate, so that no two lattice points share one.

    Args:
        extents: Largest of each of the d features; the smallest is 0.
        clouds: How many clouds there are.

    Returns:
        d + 1 numbers, the last for a step from cloud to cloud. None if there are more lattice
        points than can be told apart.
    """
    dims = len(extents)
    scaled = [extent * scale for extent, scale in zip(extents, scales_of(dims), strict=True)]
    # Rounding to a vertex, and a step to its neighbour, move a coordinate by a few times d + 1.
    margin = 8 * (dims + 1)
    widths = [
        math.ceil(sum(scaled[axis:]) + (axis * scaled[axis - 1] if axis else 0)) + margin
        for axis in range(dims)
    ]
    strides = [math.prod(widths[:axis]) for axis in range(dims + 1)]
    return strides if max(widths) < WIDEST and clouds * strides[-1] < MOST_KEYS else None


def steps_along(strides: Sequence[int]) -> list[int]:
    """How keys differ from their neighbours' in each of the d + 1 directions.

    Args:
        strides: The first d of :func:`strides_of`.
    """
    back = -sum(strides)
    corners = len(strides) + 1
    return [*(back + corners * stride for stride in strides), back]


def scales_of(dims: int) -> list[float]:
    """Lengths of the features on the lattice, for a filter of unit width."""
    deviation = torch.tensor(math.sqrt(2 / 3) * (dims + 1), dtype=torch.float32).item()
    return [1 / math.sqrt((i + 1) * (i + 2)) * deviation for i in range(dims)]


def _simplices(features: Tensor, strides: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and weights of the d + 1 vertices around each point: (N, d + 1), by remainder."""
    elevated = _elevate(features)
    corners = elevated.shape[1]
    origin = torch.round(elevated * (1 / corners))
    level = origin.sum(dim=1, keepdim=True)
    origin = origin * corners
    # Back to the plane, if rounding left it.
    ranks = _ranks(elevated - origin) + level.long()
    shift = corners * ((ranks < 0).long() - (ranks >= corners).long())
    ranks, origin = ranks + shift, origin + shift
    keys = (origin[:, :-1].long() * strides).sum(dim=1)
    keys = torch.stack(
        [keys + (_vertex(remainder, ranks) * strides).sum(dim=1) for remainder in range(corners)],
        dim=1,
    )
    return keys, _barycentric((elevated - origin) * (1 / corners), ranks)


def _vertex(remainder: int, ranks: Tensor) -> Tensor:
    """First d coordinates of a vertex from the simplex's origin, (N, d)."""
    corners = ranks.shape[1]
    return remainder - corners * (ranks[:, :-1] >= corners - remainder).long()


def _elevate(features: Tensor) -> Tensor:
    """Features (N, d) on the plane of d + 1 coordinates that sum to zero."""
    scaled = features * features.new_tensor(scales_of(features.shape[1]))
    behind = torch.zeros_like(scaled[:, 0])
    elevated = []
    for axis in range(features.shape[1], 0, -1):
        elevated.append(behind - axis * scaled[:, axis - 1])
        behind = behind + scaled[:, axis - 1]
    return torch.stack([behind, *reversed(elevated)], dim=1)


def _ranks(rests: Tensor) -> Tensor:
    """Places of coordinates (N, d + 1) in descending order; of equal ones, the later is first."""
    mine, other = rests[:, :, None], rests[:, None, :]
    corners = rests.shape[1]
    earlier = torch.ones(corners, corners, dtype=torch.bool, device=rests.device).tril(-1)
    return torch.where(earlier, mine <= other, mine < other).sum(dim=2)


def _barycentric(rests: Tensor, ranks: Tensor) -> Tensor:
    """Weights of the vertices from the rests over d + 1: differences of neighbours in rank."""
    ascending = torch.empty_like(rests).scatter_(1, rests.shape[1] - 1 - ranks, rests)
    first = ascending[:, :1] + (1 - ascending[:, -1:])
    return torch.cat([first, ascending[:, 1:] - ascending[:, :-1]], dim=1)


def _with_neighbours(points: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """For the blur: each lattice point and its two neighbours in a direction, and their weights.

    Args:
        points: Keys of the lattice points, ascending, (M,).
        step: What a neighbour's key differs by.

    Returns:
        Places among the points, and weights, (M, 3) both: 0 for a neighbour that is not there.
    """
    places, weights = (
        [torch.arange(len(points), device=points.device)],
        [torch.ones_like(points).float()],
    )
    for keys in (points - step, points + step):
        place = torch.searchsorted(points, keys).clamp(max=len(points) - 1)
        places.append(place)
        weights.append(0.5 * (points[place] == keys))
    return torch.stack(places, dim=1), torch.stack(weights, dim=1)
