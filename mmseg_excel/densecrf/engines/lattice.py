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

from ...ops.lattice_filter import add_slice, blur, splat
from ...ops.transfer import is_at_hand, to_device

MOST_KEYS = 2**62
WIDEST = 2**15  # pydensecrf counts in 16 bits
VECTOR = 4  # pydensecrf computes this many points at once


class PermutohedralLattice:
    """A Gaussian filter of unit width over points of d features.

    On a device nothing waits for the number of lattice points: there is room for as many as there
    could be, d + 1 for each point.

    Args:
        features: float32 (B, N, d): the points of B clouds that know nothing of each other.
        strides: What a lattice point's key counts a step along each of its first d coordinates,
            see :func:`strides_of`.

    Attributes:
        vertices: The d + 1 lattice points around each point, int32 (B * N, d + 1).
        weights: Their shares of it, float32 (B * N, d + 1).
        slice_weights: Of what they tell it, float32 (B * N, d + 1).
    """

    def __init__(self, features: Tensor, strides: Sequence[int]) -> None:
        clouds, num_points, dims = features.shape
        self._clouds, self._padding = clouds, -num_points % VECTOR
        # pydensecrf fills its last vector up with points of no weight at zero: what they touch
        # is part of the lattice.
        filled = F.pad(features, (0, 0, 0, self._padding))
        keys, weights = _simplices(filled.flatten(0, 1), strides[:dims])
        keys = keys.unflatten(0, (clouds, -1))
        keys += strides[dims] * torch.arange(clouds, device=features.device)[:, None, None]
        vertices, points = self._number(keys.flatten())
        self.vertices = self._real(vertices.view(-1, dims + 1))
        self.weights = self._real(weights)
        self.slice_weights = self.weights / (1 + 2.0**-dims)
        self._neighbours = [_neighbours(points, step) for step in steps_along(strides[:dims])]
        pixels = torch.arange(clouds * num_points, dtype=torch.int32, device=features.device)
        self._sources = self.in_order(pixels[:, None].expand_as(self.vertices))

    def in_order(self, values: Tensor) -> Tensor:
        """What belongs to points and their vertices, (B * N, d + 1), as the splat adds it up."""
        apart = values.unflatten(0, (self._clouds, -1))
        return F.pad(apart, (0, 0, 0, self._padding)).flatten()[self._order]

    def gather(self, values: Tensor, weights: Tensor) -> Tensor:
        """Splat and blur.

        Args:
            values: float32 (B * N, C).
            weights: Shares of the vertices, from :meth:`in_order`.

        Returns:
            What the lattice points know, float32 (M, C).
        """
        lattice = splat(values, self._sources, weights, self._starts, self._count)
        for neighbours in self._neighbours:
            lattice = blur(lattice, neighbours, self._count)
        return lattice

    def filter(self, values: Tensor) -> Tensor:
        """Weighted sums over all points, float32 (B * N, C)."""
        lattice = self.gather(values, self.in_order(self.weights))
        nothing = torch.zeros_like(values)
        return add_slice(nothing, lattice, self.vertices, self.slice_weights, normalise=False)

    def _number(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Number the lattice points by their keys, and remember who is around each.

        Args:
            keys: Of all points' vertices, (E,).

        Returns:
            Numbers for these keys, int32 (E,), and a key for each number, ascending, (M,); behind
            the last lattice point its key is repeated.
        """
        ordered, self._order = keys.sort(stable=True)
        is_new = F.pad(ordered[1:] != ordered[:-1], (1, 0), value=True)
        numbers = is_new.cumsum(dim=0, dtype=torch.int32) - 1
        self._count = numbers[-1:] + 1
        room = int(self._count) if is_at_hand(keys) else len(keys)
        places = torch.arange(room + 1, dtype=torch.int32, device=keys.device)
        self._starts = torch.searchsorted(numbers, places, out_int32=True)
        points = ordered[self._starts[:-1].clamp(max=len(keys) - 1)]
        return torch.empty_like(numbers).scatter_(0, self._order, numbers), points

    def _real(self, values: Tensor) -> Tensor:
        """Rows of all points but those that fill the last vector up."""
        apart = values.unflatten(0, (self._clouds, -1))
        return apart[:, : apart.shape[1] - self._padding].flatten(0, 1)


def strides_of(extents: Sequence[float], clouds: int = 1) -> list[int]:
    """What a key counts a step along each coordinate, so that no two lattice points share one.

    Args:
        extents: Largest of each of the d features; the smallest is 0.
        clouds: How many clouds there are.

    Returns:
        d + 1 numbers, the last for a step from cloud to cloud.

    Raises:
        OverflowError: There are more lattice points than can be told apart.
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
    if max(widths) >= WIDEST or clouds * strides[-1] >= MOST_KEYS:
        raise OverflowError('more lattice points than can be told apart')
    return strides


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


def _simplices(features: Tensor, strides: Sequence[int]) -> tuple[Tensor, Tensor]:
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
    keys = _keys(origin.long(), ranks, strides)
    return keys, _barycentric((elevated - origin) * (1 / corners), ranks)


def _keys(origin: Tensor, ranks: Tensor, strides: Sequence[int]) -> Tensor:
    """Keys of a simplex's vertices, from its vertex of remainder 0: (N, d + 1), by remainder.

    The next vertex lies a step back along one axis: first along the axis of the last rank.
    """
    digits, steps = (
        to_device(torch.tensor(numbers), origin.device)
        for numbers in ([*strides, 0], steps_along(strides))
    )
    axes = torch.arange(len(steps), device=origin.device).expand_as(ranks)
    by_rank = torch.empty_like(ranks).scatter_(1, ranks, axes)
    back = steps[by_rank[:, 1:]].flip(1).cumsum(dim=1)
    return (origin * digits).sum(dim=1, keepdim=True) - F.pad(back, (1, 0))


def _elevate(features: Tensor) -> Tensor:
    """Features (N, d) on the plane of d + 1 coordinates that sum to zero."""
    behind = torch.zeros_like(features[:, 0])
    elevated = []
    for axis, scale in reversed(list(enumerate(scales_of(features.shape[1]), start=1))):
        scaled = features[:, axis - 1] * scale
        elevated.append(behind - axis * scaled)
        behind = behind + scaled
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


def _neighbours(points: Tensor, step: int) -> Tensor:
    """The two neighbours of each lattice point in a direction.

    Args:
        points: Keys of the lattice points, ascending, (M,).
        step: What a neighbour's key differs by.

    Returns:
        Places among the points, int32 (M, 2); -1 for a neighbour that is not there.
    """
    keys = torch.stack([points - step, points + step], dim=1)
    places = torch.searchsorted(points, keys, out_int32=True).clamp_(max=len(points) - 1)
    return torch.where(points[places] == keys, places, -1)
