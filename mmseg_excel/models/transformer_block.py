"""CLIP's transformer block, run and traced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from open_clip.transformer import QuickGELU
from torch import Tensor, nn

from .blocking import cache_blocks, head_blocks
from .token_linear import token_linear


@dataclass
class BlockTrace:
    """What one transformer block computed.

    Attributes:
        output: The block's output, (B, N, D).
        out_proj: The output projection O_l of the attention.
        qkv: Queries, keys and values side by side, (B, N, 3D), unless dropped.
        attended: The tokens after attention and before the MLP, (B, N, D), unless dropped.
        attention: Sum over heads of the block's own attention, (B, N, N) in float32, where it was
            asked for.
    """

    output: Tensor
    out_proj: nn.Linear
    qkv: Tensor | None
    attended: Tensor | None
    attention: Tensor | None

    def drop_inner(self) -> None:
        """Forget all but the output and the attention that was kept: most of the memory."""
        self.qkv = self.attended = None

    def heads(self, which: str, num_heads: int) -> Tensor:
        """Return 'q', 'k' or 'v' split into heads, (B, H, N, d)."""
        part = self.qkv.chunk(3, dim=-1)['qkv'.index(which)]
        return part.unflatten(-1, (num_heads, -1)).transpose(1, 2)

    def attention_over_heads(self, num_heads: int) -> Tensor:
        """`attention`, computed now if it was not asked for then."""
        if self.attention is not None:
            return self.attention
        return sum_heads([(self.heads('q', num_heads), self.heads('k', num_heads))])


def run_block(block: nn.Module, x: Tensor, keep_attention: bool = False) -> BlockTrace:
    """Run a pre-norm block of open_clip's.

    Args:
        block: A ``ResidualAttentionBlock``.
        x: Tokens, (B, N, D).
        keep_attention: Whether the attention, summed over heads, is kept. Default: False.
    """
    attention = block.attn
    qkv = token_linear(block.ln_1(x), attention.in_proj_weight, attention.in_proj_bias)
    q, k, v = (
        part.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
        for part in qkv.chunk(3, dim=-1)
    )
    if keep_attention:
        mixed, summed = mix_and_sum_heads(q, k, v)
    else:
        mixed, summed = mix_heads(q, k, v), None
    out_proj = attention.out_proj
    attended = x + token_linear(mixed.transpose(1, 2).flatten(2), out_proj.weight, out_proj.bias)
    output = _add_mlp(block, attended)
    return BlockTrace(output, out_proj, qkv, attended, summed)


def _add_mlp(block: nn.Module, x: Tensor) -> Tensor:
    """Tokens and the MLP of a block's on top of them.

    QuickGELU(h) = h σ(1.702 h) = silu(1.702 h) / 1.702. The first factor goes into the layer
    norm, the second into the sum, so that one pass over the widest tensor is left of three.
    """
    norm, (inner, activation, outer) = block.ln_2, block.mlp
    if not isinstance(activation, QuickGELU):
        return x + block.mlp(norm(x))
    scaled = F.layer_norm(
        x, norm.normalized_shape, 1.702 * norm.weight, 1.702 * norm.bias, norm.eps
    )
    hidden = F.silu(token_linear(scaled, inner.weight, 1.702 * inner.bias), inplace=True)
    narrow = token_linear(hidden, outer.weight, 1.702 * outer.bias)
    return torch.add(x, narrow, alpha=1 / 1.702)


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
    mixed, summed = _token_major_like(v), _zero_map(q)
    for total, *image in cache_blocks(summed, mixed, q, k, v):
        for target, queries, keys, values in head_blocks(*image):
            attention = softmax_attention(queries, keys)
            target.copy_(attention.to(values.dtype) @ values)
            total += _over_heads(attention)
    return mixed, summed


def sum_heads(pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Σ_pairs Σ_heads softmax(a bᵀ/√d) of pairs a, b (B, H, N, d): (B, N, N), float32."""
    summed = _zero_map(pairs[0][0])
    for a, b in pairs:
        for total, *image in cache_blocks(summed, a, b):
            for heads in head_blocks(*image):
                total += _over_heads(softmax_attention(*heads))
    return summed


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
