"""A Gaussian filter on a lattice: splat, blur, slice, each for all classes at once."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

TILE = 1024  # numbers that a program works on at once
SOURCES = 16  # pixels that a lattice point adds up at once
MOST_PROGRAMS = 4096  # they share the lattice points, whose number the host does not know


@triton.jit
def splat_kernel(
    values, sources, weights, starts, count, sums, channels,
    CHANNELS: tl.constexpr, SOURCES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Blocks of lattice points: weighted sums of the pixels around each."""
    channel = tl.arange(0, CHANNELS)
    points = tl.load(count)
    for first in range(tl.program_id(0) * BLOCK, points, tl.num_programs(0) * BLOCK):
        point = first + tl.arange(0, BLOCK)
        real = point < points
        start = tl.load(starts + point, mask=real, other=0)
        end = tl.load(starts + point + 1, mask=real, other=0)
        total = tl.zeros([BLOCK, CHANNELS], tl.float32)
        for step in range(0, tl.max(end - start), SOURCES):
            place = start[:, None] + step + tl.arange(0, SOURCES)[None, :]
            there = place < end[:, None]
            source = tl.load(sources + place, mask=there, other=0).to(tl.int64)
            weight = tl.load(weights + place, mask=there, other=0.0)
            at = values + source[:, :, None] * channels + channel[None, None, :]
            wanted = there[:, :, None] & (channel < channels)[None, None, :]
            total += tl.sum(weight[:, :, None] * tl.load(at, mask=wanted, other=0.0), axis=1)
        at = sums + point.to(tl.int64)[:, None] * channels + channel[None, :]
        tl.store(at, total, mask=real[:, None] & (channel < channels)[None, :])


@triton.jit
def blur_kernel(
    lattice, neighbours, count, blurred, channels, CHANNELS: tl.constexpr, BLOCK: tl.constexpr
):
    """Blocks of lattice points: each and half of both its neighbours."""
    channel = tl.arange(0, CHANNELS)[None, :]
    points = tl.load(count)
    for first in range(tl.program_id(0) * BLOCK, points, tl.num_programs(0) * BLOCK):
        point = first + tl.arange(0, BLOCK)
        real = point < points
        one = tl.load(neighbours + 2 * point, mask=real, other=-1)[:, None].to(tl.int64)
        other = tl.load(neighbours + 2 * point + 1, mask=real, other=-1)[:, None].to(tl.int64)
        place = point[:, None].to(tl.int64) * channels + channel
        wanted = real[:, None] & (channel < channels)
        there = (channel < channels) & (one >= 0)
        around = tl.load(lattice + one * channels + channel, mask=there, other=0.0)
        there = (channel < channels) & (other >= 0)
        around += tl.load(lattice + other * channels + channel, mask=there, other=0.0)
        own = tl.load(lattice + place, mask=wanted, other=0.0)
        tl.store(blurred + place, own + 0.5 * around, mask=wanted)


@triton.jit
def add_slice_kernel(
    logits, lattice, vertices, weights, sums, pixels, channels,
    CORNERS: tl.constexpr, NORMALISE: tl.constexpr, CHANNELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """A block of pixels: logits plus what the lattice tells, or the softmax of it."""
    channel = tl.arange(0, CHANNELS)[None, :]
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    real = pixel < pixels
    wanted = real[:, None] & (channel < channels)
    told = tl.zeros([BLOCK, CHANNELS], tl.float32)
    for corner in range(CORNERS):
        vertex = tl.load(vertices + pixel * CORNERS + corner, mask=real, other=0).to(tl.int64)
        weight = tl.load(weights + pixel * CORNERS + corner, mask=real, other=0.0)
        at = lattice + vertex[:, None] * channels + channel
        told += weight[:, None] * tl.load(at, mask=wanted, other=0.0)
    place = pixel[:, None].to(tl.int64) * channels + channel
    total = told + tl.load(logits + place, mask=wanted, other=0.0)
    if NORMALISE:
        total = tl.where(channel < channels, total, float('-inf'))
        total = tl.exp(total - tl.max(total, axis=1)[:, None])
        total = total / tl.sum(total, axis=1)[:, None]
    tl.store(sums + place, total, mask=wanted)


def tile_of(channels: int, each: int = 1) -> dict[str, int]:
    """How many rows a program works on at once, all their classes and `each` things of a row."""
    wide = triton.next_power_of_2(channels)
    return dict(CHANNELS=wide, BLOCK=max(1, TILE // (wide * each)))


def splat(
    values: Tensor, sources: Tensor, weights: Tensor, starts: Tensor, count: Tensor
) -> Tensor:
    """Launch it: see ``ops.lattice_filter.splat``."""
    values = values.contiguous()
    channels, room = values.shape[1], len(starts) - 1
    sums, tile = values.new_empty(room, channels), tile_of(channels, SOURCES)
    splat_kernel[(_programs(room, tile),)](
        values, sources, weights, starts, count, sums, channels, SOURCES=SOURCES, **tile
    )
    return sums


def blur(lattice: Tensor, neighbours: Tensor, count: Tensor) -> Tensor:
    """Launch it: see ``ops.lattice_filter.blur``."""
    room, channels = lattice.shape
    blurred, tile = torch.empty_like(lattice), tile_of(channels)
    blur_kernel[(_programs(room, tile),)](lattice, neighbours, count, blurred, channels, **tile)
    return blurred


def add_slice(
    logits: Tensor, lattice: Tensor, vertices: Tensor, weights: Tensor, normalise: bool
) -> Tensor:
    """Launch it: see ``ops.lattice_filter.add_slice``."""
    logits = logits.contiguous()
    pixels, channels = logits.shape
    sums, tile = torch.empty_like(logits), tile_of(channels)
    add_slice_kernel[(triton.cdiv(pixels, tile['BLOCK']),)](
        logits, lattice, vertices, weights, sums, pixels, channels,
        CORNERS=vertices.shape[1], NORMALISE=normalise, **tile,
    )  # fmt: skip
    return sums


def _programs(room: int, tile: dict[str, int]) -> int:
    return min(triton.cdiv(room, tile['BLOCK']), MOST_PROGRAMS)
