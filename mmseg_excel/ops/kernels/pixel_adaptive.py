"""Pixel-adaptive refinement: the weights of all neighbours, and one iteration."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..transfer import to_device

PIXELS = 128  # a program


@triton.jit
def _neighbour(y, x, dilation, place: tl.constexpr, height, width):
    """Index of the pixel at one of the eight places of a ring, the border replicated."""
    number: tl.constexpr = place + place // 4  # the centre is no neighbour
    at_y = y + (number // 3 - 1) * dilation
    at_x = x + (number % 3 - 1) * dilation
    at_y = tl.minimum(tl.maximum(at_y, 0), height - 1)
    at_x = tl.minimum(tl.maximum(at_x, 0), width - 1)
    return at_y * width + at_x


@triton.jit
def affinity_kernel(
    images, position, dilations, weights, rings, height, width, colour_scale, BLOCK: tl.constexpr
):
    """Weights of the neighbours of a block of pixels of one image (docs/method.md, section 7)."""
    pixels = height * width
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    real = pixel < pixels
    y, x = pixel // width, pixel % width
    red = images + tl.program_id(1) * 3 * pixels
    green, blue = red + pixels, red + 2 * pixels
    # Of weights (neighbours, B, height, width) the ones of this image.
    weights += tl.program_id(1) * pixels + pixel
    plane = tl.num_programs(1) * pixels

    scale_r = _scale(red, pixel, real, dilations, rings, height, width, colour_scale, BLOCK)
    scale_g = _scale(green, pixel, real, dilations, rings, height, width, colour_scale, BLOCK)
    scale_b = _scale(blue, pixel, real, dilations, rings, height, width, colour_scale, BLOCK)
    own_r = tl.load(red + pixel, mask=real, other=0.0)
    own_g = tl.load(green + pixel, mask=real, other=0.0)
    own_b = tl.load(blue + pixel, mask=real, other=0.0)

    highest = tl.full([BLOCK], float('-inf'), tl.float32)
    total = tl.zeros([BLOCK], tl.float32)
    for ring in range(rings):
        dilation = tl.load(dilations + ring)
        for place in tl.static_range(8):
            there = _neighbour(y, x, dilation, place, height, width)
            r = (tl.load(red + there, mask=real, other=0.0) - own_r) * scale_r
            g = (tl.load(green + there, mask=real, other=0.0) - own_g) * scale_g
            b = (tl.load(blue + there, mask=real, other=0.0) - own_b) * scale_b
            similarity = -(r * r + g * g + b * b) / 3
            tl.store(weights + (ring * 8 + place) * plane, similarity, mask=real)
            higher = tl.maximum(highest, similarity)
            total = total * tl.exp(highest - higher) + tl.exp(similarity - higher)
            highest = higher
    for neighbour in range(rings * 8):
        similarity = tl.load(weights + neighbour * plane, mask=real, other=0.0)
        weight = tl.exp(similarity - highest) / total + tl.load(position + neighbour)
        tl.store(weights + neighbour * plane, weight, mask=real)


@triton.jit
def _scale(
    channel, pixel, real, dilations, rings, height, width, colour_scale, BLOCK: tl.constexpr
):
    """What a colour difference is multiplied by, from the neighbours' standard deviation.

    Grey levels and their squares add up without rounding; only the last difference is in double
    precision.
    """
    y, x = pixel // width, pixel % width
    total = tl.zeros([BLOCK], tl.float32)
    squares = tl.zeros([BLOCK], tl.float32)
    for ring in range(rings):
        dilation = tl.load(dilations + ring)
        for place in tl.static_range(8):
            there = _neighbour(y, x, dilation, place, height, width)
            level = tl.load(channel + there, mask=real, other=0.0) * 255
            total += level
            squares += level * level
    count = tl.full([], rings * 8, tl.float64)  # one ring is a constant when it is compiled
    total = total.to(tl.float64)
    variance = (squares.to(tl.float64) - total * total / count) / (count - 1)
    deviation = (tl.sqrt(tl.maximum(variance, 0.0)) / 255).to(tl.float32)
    return 1 / ((deviation + 1e-8) * colour_scale)


@triton.jit
def neighbour_sum_kernel(
    weights, scores, dilations, sums, channels, rings, height, width,
    CHANNELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Weighted sums over the neighbours of a block of pixels of one image, all its channels."""
    pixels = height * width
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    real = pixel < pixels
    y, x = pixel // width, pixel % width
    weights += tl.program_id(1) * pixels + pixel
    plane = tl.num_programs(1) * pixels
    channel = tl.arange(0, CHANNELS)[:, None]
    planes = (tl.program_id(1) * channels + channel) * pixels
    wanted = (channel < channels) & real[None, :]

    total = tl.zeros([CHANNELS, BLOCK], tl.float32)
    for ring in range(rings):
        dilation = tl.load(dilations + ring)
        for place in tl.static_range(8):
            there = _neighbour(y, x, dilation, place, height, width)
            weight = tl.load(weights + (ring * 8 + place) * plane, mask=real, other=0.0)
            score = tl.load(scores + planes + there[None, :], mask=wanted, other=0.0)
            total += weight[None, :] * score
    tl.store(sums + planes + pixel[None, :], total, mask=wanted)


def affinity(
    images: Tensor, dilations: Sequence[int], position: Sequence[float], colour_scale: float
) -> Tensor:
    """Launch it on images (B, 3, height, width): (neighbours, B, height, width).

    Args:
        images: In 0..1.
        dilations: Of the rings.
        position: What the place of each neighbour adds to its weight.
        colour_scale: Differences are divided by this many standard deviations.
    """
    batch, _, height, width = images.shape
    weights = images.new_empty(len(position), batch, height, width)
    grid = (triton.cdiv(height * width, PIXELS), batch)
    table = _table(tuple(dilations), torch.int32, images.device)
    places = _table(tuple(position), torch.float32, images.device)
    affinity_kernel[grid](
        images.contiguous(), places, table, weights, len(dilations), height, width, colour_scale,
        PIXELS,
    )  # fmt: skip
    return weights


def neighbour_sum(weights: Tensor, scores: Tensor, dilations: Sequence[int]) -> Tensor:
    """Launch it on weights (neighbours, B, height, width) and scores (B, K, height, width)."""
    batch, channels, height, width = scores.shape
    scores = scores.contiguous()
    sums = torch.empty_like(scores)
    grid = (triton.cdiv(height * width, PIXELS), batch)
    table = _table(tuple(dilations), torch.int32, scores.device)
    neighbour_sum_kernel[grid](
        weights, scores, table, sums, channels, len(dilations), height, width,
        triton.next_power_of_2(channels), PIXELS,
    )  # fmt: skip
    return sums


@functools.lru_cache(maxsize=16)
def _table(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return to_device(torch.tensor(values, dtype=dtype), device)
