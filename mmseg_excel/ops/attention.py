"""Attention, and its maps summed over heads.

On a GPU with Triton a map is made by two kernels, which keep no map of a single head; the plain
version serves all other devices.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .blocking import cache_blocks, head_blocks
from .operators import has_kernels, operator


def mix_heads(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attend with q, k, v (B, H, N, d): the mixed values.

    PyTorch's fused attention, unless on a CPU in half precision, where two products, and heads
    that stay in the cache, are faster (docs/performance.md).
    """
    if q.device.type != 'cpu' or q.dtype == torch.float32 or q.requires_grad:
        return F.scaled_dot_product_attention(q, k, v)
    mixed = _token_major_like(v)
    for image in cache_blocks(mixed, q, k, v):
        for target, queries, keys, values in head_blocks(*image):
            target.copy_(softmax_attention(queries, keys, values.dtype) @ values)
    return mixed


def mix_and_sum_heads(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Attend with q, k, v (B, H, N, d): the mixed values, and Σ_heads attention (B, N, N)."""
    if has_kernels(q):
        return mix_heads(q, k, v), sum_heads(q, k)
    mixed, summed = _token_major_like(v), _zero_map(q)
    for total, *image in cache_blocks(summed, mixed, q, k, v):
        for target, queries, keys, values in head_blocks(*image):
            attention = softmax_attention(queries, keys)
            target.copy_(attention.to(values.dtype) @ values)
            total += _over_heads(attention)
    return mixed, summed


def sum_heads(a: Tensor, b: Tensor, parts: int = 1) -> Tensor:
    """Σ_heads softmax(a bᵀ/√d) / parts of a, b (B, H, N, d): (B, N, N), float32."""
    if has_kernels(a):
        return _summed(a, b, _log_sums(a, b), 1 / parts)
    summed = _zero_map(a)
    for total, *image in cache_blocks(summed, a, b):
        for heads in head_blocks(*image):
            total += _over_heads(softmax_attention(*heads))
    return summed.div_(parts)


def _token_major_like(heads: Tensor) -> Tensor:
    """Room for (B, H, N, d) in which the heads of a token lie side by side."""
    batch, num_heads, num_tokens, width = heads.shape
    return heads.new_empty(batch, num_tokens, num_heads, width).transpose(1, 2)


def _zero_map(heads: Tensor) -> Tensor:
    """Zeros for the map of heads (B, H, N, d): (B, N, N), float32."""
    batch, _, num_tokens, _ = heads.shape
    return heads.new_zeros(batch, num_tokens, num_tokens, dtype=torch.float32)


def softmax_attention(a: Tensor, b: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """softmax(a bᵀ/√d) of (..., N, d): (..., N, N), computed in float32, rounded to `dtype`."""
    heads = a.shape[:-2]
    scores = torch.baddbmm(
        a.new_zeros(1, 1, 1),
        a.flatten(0, -3),
        b.flatten(0, -3).transpose(1, 2),
        beta=0,
        alpha=a.shape[-1] ** -0.5,
    )
    return scores.softmax(dim=-1, dtype=dtype).unflatten(0, heads)


def _over_heads(attention: Tensor) -> Tensor:
    """Σ_heads of (B, H, N, N); of a single head, without a copy."""
    return attention[:, 0] if attention.shape[1] == 1 else attention.sum(dim=1)


def _launch_log_sums(a: Tensor, b: Tensor) -> Tensor:
    from .kernels import attention

    return attention.log_sums(a, b)


def _launch_summed(a: Tensor, b: Tensor, log_sums: Tensor, share: float) -> Tensor:
    from .kernels import attention

    return attention.summed(a, b, log_sums, share)


_log_sums = operator(
    'attention_log_sums(Tensor a, Tensor b) -> Tensor',
    cuda=_launch_log_sums,
    shaped=lambda a, b: a.new_empty(a.shape[:3], dtype=torch.float32),
)
_summed = operator(
    'summed_attention(Tensor a, Tensor b, Tensor log_sums, float share) -> Tensor',
    cuda=_launch_summed,
    shaped=lambda a, *_: a.new_empty(a.shape[0], a.shape[2], a.shape[2], dtype=torch.float32),
)
