"""Attention maps summed over heads, without a map for each head in memory."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

TILE = 64  # tokens along each side of a tile
FEATURES = 16  # of a head that are multiplied at once
WARPS = 8


@triton.jit
def _scores(
    a, b, rows, columns, num_tokens, width, scale, a_n, a_d, b_n, b_d,
    TILE: tl.constexpr, FEATURES: tl.constexpr,
):  # fmt: skip
    """Scaled products of tokens of one head, (TILE, TILE); -inf where there is no column."""
    scores = tl.zeros([TILE, TILE], tl.float32)
    for start in range(0, width, FEATURES):
        features = start + tl.arange(0, FEATURES)
        own = tl.load(
            a + rows[:, None] * a_n + features[None, :] * a_d,
            mask=(rows[:, None] < num_tokens) & (features[None, :] < width),
            other=0.0,
        )
        others = tl.load(
            b + features[:, None] * b_d + columns[None, :] * b_n,
            mask=(features[:, None] < width) & (columns[None, :] < num_tokens),
            other=0.0,
        )
        scores = tl.dot(own, others, scores, input_precision='ieee')
    return tl.where(columns[None, :] < num_tokens, scores * scale, float('-inf'))


@triton.jit
def log_sums_kernel(
    a, b, sums, heads, num_tokens, width, scale,
    a_b, a_h, a_n, a_d, b_b, b_h, b_n, b_d,
    TILE: tl.constexpr, FEATURES: tl.constexpr,
):  # fmt: skip
    """Log Σ_j exp(scale · a_i · b_j) of a block of tokens i of one head: (B, H, N)."""
    image, head = tl.program_id(1) // heads, tl.program_id(1) % heads
    a += image * a_b + head * a_h
    b += image * b_b + head * b_h
    rows = tl.program_id(0) * TILE + tl.arange(0, TILE)
    highest = tl.full([TILE], float('-inf'), tl.float32)
    total = tl.zeros([TILE], tl.float32)
    for start in range(0, num_tokens, TILE):
        columns = start + tl.arange(0, TILE)
        scores = _scores(
            a, b, rows, columns, num_tokens, width, scale, a_n, a_d, b_n, b_d, TILE, FEATURES
        )
        higher = tl.maximum(highest, tl.max(scores, 1))
        total = total * tl.exp(highest - higher) + tl.sum(tl.exp(scores - higher[:, None]), 1)
        highest = higher
    place = tl.program_id(1) * num_tokens + rows
    tl.store(sums + place, highest + tl.log(total), mask=rows < num_tokens)


@triton.jit
def summed_kernel(
    a, b, sums, summed, heads, num_tokens, width, scale, share,
    a_b, a_h, a_n, a_d, b_b, b_h, b_n, b_d,
    TILE: tl.constexpr, FEATURES: tl.constexpr,
):  # fmt: skip
    """One tile of share · Σ_heads exp(scale · a_i · b_j − log sum_i): (B, N, N)."""
    image = tl.program_id(2)
    rows = tl.program_id(0) * TILE + tl.arange(0, TILE)
    columns = tl.program_id(1) * TILE + tl.arange(0, TILE)
    a += image * a_b
    b += image * b_b
    sums += image * heads * num_tokens + rows
    total = tl.zeros([TILE, TILE], tl.float32)
    for _ in range(heads):
        scores = _scores(
            a, b, rows, columns, num_tokens, width, scale, a_n, a_d, b_n, b_d, TILE, FEATURES
        )
        log_sum = tl.load(sums, mask=rows < num_tokens, other=0.0)
        total += tl.exp(scores - log_sum[:, None])
        a += a_h
        b += b_h
        sums += num_tokens
    place = (image * num_tokens + rows[:, None]) * num_tokens + columns[None, :]
    real = (rows[:, None] < num_tokens) & (columns[None, :] < num_tokens)
    tl.store(summed + place, total * share, mask=real)


def log_sums(a: Tensor, b: Tensor) -> Tensor:
    """Launch it on a, b (B, H, N, d): (B, H, N), float32."""
    batch, heads, num_tokens, width = a.shape
    sums = torch.empty(batch, heads, num_tokens, dtype=torch.float32, device=a.device)
    log_sums_kernel[(triton.cdiv(num_tokens, TILE), batch * heads)](
        a, b, sums, heads, num_tokens, width, width**-0.5, *a.stride(), *b.stride(),
        TILE, FEATURES, num_warps=WARPS,
    )  # fmt: skip
    return sums


def summed(a: Tensor, b: Tensor, sums: Tensor, share: float) -> Tensor:
    """Launch it on a, b (B, H, N, d) and their :func:`log_sums`: (B, N, N), float32."""
    batch, heads, num_tokens, width = a.shape
    result = torch.empty(batch, num_tokens, num_tokens, dtype=torch.float32, device=a.device)
    tiles = triton.cdiv(num_tokens, TILE)
    summed_kernel[(tiles, tiles, batch)](
        a, b, sums, result, heads, num_tokens, width, width**-0.5, share,
        *a.stride(), *b.stride(), TILE, FEATURES, num_warps=WARPS,
    )  # fmt: skip
    return result
