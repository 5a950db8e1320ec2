"""The permutohedral lattice on the CPU, compiled by numba.

The same lattice as :mod:`.lattice`, in other words: its points are numbered as the pixels, line by
line, first touch them, so that what is near in the image is near in memory. Rows of values hold one
number for each class, filled up to whole vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .compiling import compiled
from .lattice import VECTOR, scales_of, steps_along
from .vectors import LANES, add, fill, load, multiply, prefetch, store

HASH = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio
FEWEST_SLOTS = 2**12
CACHE_LINE = 16  # numbers
AHEAD = 16  # points: how long before they are needed rows are asked for


class CompiledLattice:
    """A Gaussian filter of unit width over points of d features.

    Args:
        features: float32, (N, d).
        strides: See :func:`.lattice.strides_of`.

    Attributes:
        vertices: The d + 1 lattice points around each point, int32 (N, d + 1).
        weights: Their shares of it, float32 (N, d + 1).
    """

    def __init__(self, features: np.ndarray, strides: Sequence[int]) -> None:
        num_points, dims = features.shape
        steps = np.array(steps_along(strides[:dims]))
        digits = np.array([*strides[:dims], 0])  # keys have no room for the last coordinate
        filled = np.pad(features, ((0, -num_points % VECTOR), (0, 0)))
        scales = np.array(scales_of(dims), np.float32)
        vertices, self.weights, keys, slots = _place(filled, scales, digits, steps)
        self.vertices, self.weights = vertices[:num_points], self.weights[:num_points]
        self._num_vertices = len(keys)
        self._chains = [_chains(keys, slots, step) for step in steps]

    def rows(self, width: int) -> np.ndarray:
        """Room for values of all lattice points, float32, flat."""
        return np.empty(self._num_vertices * width, np.float32)

    def gather(self, values: np.ndarray, weights: np.ndarray, rows: np.ndarray) -> None:
        """Splat and blur.

        Args:
            values: float32, flat: N rows of a multiple of 8 numbers.
            weights: Of the vertices of each point, float32 (N, d + 1).
            rows: From :meth:`rows`, for the result.
        """
        width = len(values) // len(self.vertices)
        _splat(values, width, self.vertices, weights, rows)
        for chains in self._chains:
            _blur(rows, width, chains)


@compiled
def _place(features, scales, digits, steps):
    """Put points on the lattice.

    Returns:
        vertices and weights, (N, d + 1), keys of the lattice points, and the hash table's slots.
    """
    num_points, dims = features.shape
    corners = dims + 1
    vertices = np.empty((num_points, corners), np.int32)
    weights = np.empty((num_points, corners), np.float32)
    elevated, origin = np.empty(corners, np.float32), np.empty(corners, np.float32)
    ranks = np.empty(corners, np.int64)
    at_rank = np.empty(corners, np.int64)
    keys = np.empty(FEWEST_SLOTS // 2, np.int64)
    slots = np.full(FEWEST_SLOTS, -1, np.int32)
    count = 0
    for point in range(num_points):
        _elevate(features[point], scales, elevated)
        _enclose(elevated, origin, ranks)
        _weigh(elevated, origin, ranks, weights[point])
        key = np.int64(0)
        for axis in range(corners):
            at_rank[ranks[axis]] = axis
            key += np.int64(origin[axis]) * digits[axis]
        if 2 * (count + corners) > len(slots):
            keys, slots = _enlarged(keys, count, slots)
        for remainder in range(corners):
            if remainder > 0:
                key -= steps[at_rank[corners - remainder]]
            slot = _slot_of(key, keys, slots)
            if slots[slot] < 0:
                slots[slot] = count
                keys[count] = key
                count += 1
            vertices[point, remainder] = slots[slot]
    return vertices, weights, keys[:count], slots


@compiled
def _elevate(feature, scales, elevated):
    """Features on the plane of d + 1 coordinates that sum to zero."""
    behind = np.float32(0)
    for axis in range(len(feature), 0, -1):
        scaled = feature[axis - 1] * scales[axis - 1]
        elevated[axis] = behind - np.float32(axis) * scaled
        behind += scaled
    elevated[0] = behind


@compiled
def _enclose(elevated, origin, ranks):
    """The simplex around a point: its vertex of remainder 0, and the ranks of the coordinates."""
    corners = len(elevated)
    level = 0
    for axis in range(corners):
        nearest = np.rint(elevated[axis] * np.float32(1 / corners))
        level += np.int64(nearest)
        origin[axis] = nearest * np.float32(corners)
        ranks[axis] = 0
    for axis in range(corners):
        for other in range(axis + 1, corners):
            if elevated[axis] - origin[axis] < elevated[other] - origin[other]:
                ranks[axis] += 1
            else:
                ranks[other] += 1
    for axis in range(corners):  # back to the plane, if rounding left it
        ranks[axis] += level
        if ranks[axis] < 0:
            ranks[axis] += corners
            origin[axis] += corners
        elif ranks[axis] >= corners:
            ranks[axis] -= corners
            origin[axis] -= corners


@compiled
def _weigh(elevated, origin, ranks, weights):
    """Barycentric coordinates of a point: differences of neighbours in rank."""
    dims = len(elevated) - 1
    for axis in range(dims + 1):
        rest = (elevated[axis] - origin[axis]) * np.float32(1 / (dims + 1))
        weights[dims - ranks[axis]] = rest
    last = weights[dims]
    for corner in range(dims, 0, -1):
        weights[corner] -= weights[corner - 1]
    weights[0] += np.float32(1) - last


@compiled
def _slot_of(key, keys, slots):
    """Where a key is in the hash table, or belongs."""
    mask = len(slots) - 1
    slot = np.int64((np.uint64(key) * HASH) >> np.uint64(32)) & mask
    while slots[slot] >= 0 and keys[slots[slot]] != key:
        slot = (slot + 1) & mask
    return slot


@compiled
def _enlarged(keys, count, slots):
    """The same table with twice the room."""
    larger_keys = np.empty(2 * len(keys), np.int64)
    larger_slots = np.full(2 * len(slots), -1, np.int32)
    for point in range(count):
        larger_keys[point] = keys[point]
        larger_slots[_slot_of(keys[point], keys, larger_slots)] = point
    return larger_keys, larger_slots


@compiled
def _chains(keys, slots, step):
    """Lattice points that follow each other in a direction, chain by chain.

    Points without a neighbour are in none: the blur leaves them as they are.

    Returns:
        int32; the last of a chain has its bits inverted.
    """
    following = np.empty(len(keys), np.int32)
    is_first = np.ones(len(keys), np.bool_)
    for point in range(len(keys)):
        neighbour = slots[_slot_of(keys[point] + step, keys, slots)]
        following[point] = neighbour
        if neighbour >= 0:
            is_first[neighbour] = False
    chains = np.empty(len(keys), np.int32)
    count = 0
    for first in range(len(keys)):
        if is_first[first] and following[first] >= 0:
            point = first
            while following[point] >= 0:
                chains[count] = point
                count += 1
                point = following[point]
            chains[count] = ~point
            count += 1
    return chains[:count].copy()


@compiled
def _splat(values, width, vertices, weights, rows):
    """Give each lattice point its share of every point's values."""
    rows[:] = 0
    for point in range(len(vertices)):
        for lane in range(0, width, LANES):
            value = load(values, point * width + lane)
            for corner in range(vertices.shape[1]):
                at = np.int64(vertices[point, corner]) * width + lane
                share = multiply(fill(weights[point, corner]), value)
                store(rows, at, add(load(rows, at), share))


@compiled
def _blur(rows, width, chains):
    """Add half of both neighbours along chains, in place: beyond their ends there is zero."""
    first = asked = 0
    while first < len(chains):
        last = first
        while chains[last] >= 0:
            last += 1
        while asked < min(last + AHEAD, len(chains)):
            _ask_for(rows, width, chains[asked])
            asked += 1
        for lane in range(0, width, LANES):
            _blur_chain(rows, width, chains, first, last, lane)
        first = last + 1


@compiled
def _blur_chain(rows, width, chains, first, last, lane):
    """Eight numbers of the points of one chain."""
    half = fill(np.float32(0.5))
    before = zero = fill(np.float32(0))
    at = np.int64(chains[first]) * width + lane
    here = load(rows, at)
    for place in range(first + 1, last + 1):
        next_at = _point(chains[place]) * width + lane
        behind = load(rows, next_at)
        store(rows, at, add(here, multiply(half, add(before, behind))))
        before, here, at = here, behind, next_at
    store(rows, at, add(here, multiply(half, add(before, zero))))


@compiled
def _ask_for(rows, width, member):
    start = _point(member) * width
    for number in range(0, width, CACHE_LINE):
        prefetch(rows, start + number)
    prefetch(rows, start + width - 1)


@compiled
def _point(member):
    """A lattice point by its number in a chain."""
    return np.int64(member if member >= 0 else ~member)
