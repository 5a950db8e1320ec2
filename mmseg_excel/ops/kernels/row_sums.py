"""Weighted sums of a matrix's rows."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

TILE = 1024  # numbers that a program adds up at once


@triton.jit
def row_sums_kernel(
    values, rows, weights, starts, sums, count, channels,
    EACH: tl.constexpr, CHANNELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """A block of sums of EACH rows, or of as many as `starts` says if EACH is 0; all channels."""
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    real = place < count
    channel = tl.arange(0, CHANNELS)[None, :]
    if EACH > 0:
        first = place * EACH
        last = tl.where(real, first + EACH, first)
    else:
        first = tl.load(starts + place, mask=real, other=0)
        last = tl.load(starts + place + 1, mask=real, other=0)
    total = tl.zeros([BLOCK, CHANNELS], tl.float32)
    for step in range(tl.max(last - first)):
        there = first + step < last
        row = tl.load(rows + first + step, mask=there, other=0)
        weight = tl.load(weights + first + step, mask=there, other=0.0)
        wanted = there[:, None] & (channel < channels)
        value = tl.load(values + row[:, None] * channels + channel, mask=wanted, other=0.0)
        total += weight[:, None] * value
    at = sums + place[:, None] * channels + channel
    tl.store(at, total, mask=real[:, None] & (channel < channels))


def row_sums(values: Tensor, rows: Tensor, weights: Tensor, starts: Tensor | None) -> Tensor:
    """Launch it: see ``ops.row_sums.row_sums``."""
    values, rows, weights = values.contiguous(), rows.contiguous(), weights.contiguous()
    channels = values.shape[1]
    count = len(rows) if starts is None else len(starts) - 1
    sums = values.new_empty(count, channels, dtype=torch.float32)
    wide = triton.next_power_of_2(channels)
    block = max(1, TILE // wide)
    row_sums_kernel[(triton.cdiv(count, block),)](
        values, rows, weights, rows if starts is None else starts, sums, count, channels,
        EACH=rows.shape[1] if starts is None else 0, CHANNELS=wide, BLOCK=block,
    )  # fmt: skip
    return sums
