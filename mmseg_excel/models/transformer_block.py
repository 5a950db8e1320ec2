"""CLIP's transformer block, run and traced."""

from __future__ import annotations

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
        """Forget all but the output, most of the memory."""
        self.qkv = self.attended = None

    def heads(self, which: str, num_heads: int) -> Tensor:
        """Return 'q', 'k' or 'v' split into heads, (B, H, N, d)."""
        part = self.qkv.chunk(3, dim=-1)['qkv'.index(which)]
        return part.unflatten(-1, (num_heads, -1)).transpose(1, 2)


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
        mixed, summed = F.scaled_dot_product_attention(q, k, v), None
    out_proj = attention.out_proj
    attended = x + token_linear(mixed.transpose(1, 2).flatten(2), out_proj.weight, out_proj.bias)
    output = attended + _mlp(block, block.ln_2(attended))
    return BlockTrace(output, out_proj, qkv, attended, summed)


def _mlp(block: nn.Module, x: Tensor) -> Tensor:
    """The MLP of a block.

    QuickGELU(h) = h σ(1.702 h) = silu(1.702 h) / 1.702: with both factors on the narrow tensors
    around it, one pass over the wide one instead of three.
    """
    inner, activation, outer = block.mlp
    if not isinstance(activation, QuickGELU):
        return block.mlp(x)
    hidden = token_linear(1.702 * x, inner.weight, 1.702 * inner.bias)
    hidden = F.silu(hidden, inplace=True)
    return token_linear(hidden, outer.weight, 1.702 * outer.bias).div_(1.702)


def mix_and_sum_heads(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Attend with q, k, v (B, H, N, d): the mixed values, and Σ_heads attention (B, N, N)."""
    mixed, summed = [], []
    for image in cache_blocks(q, k, v):
        parts, total = [], 0
        for queries, keys, values in head_blocks(*image):
            attention = softmax_attention(queries, keys)
            parts.append(attention.to(values.dtype) @ values)
            total += _over_heads(attention)
        mixed.append(torch.cat(parts, dim=1))
        summed.append(total)
    return torch.cat(mixed), torch.cat(summed)


def sum_heads(a: Tensor, b: Tensor) -> Tensor:
    """Σ_heads softmax(a bᵀ/√d) of (B, H, N, d): (B, N, N), float32."""
    summed = []
    for image in cache_blocks(a, b):
        total = 0
        for heads in head_blocks(*image):
            total += _over_heads(softmax_attention(*heads))
        summed.append(total)
    return torch.cat(summed)


def softmax_attention(a: Tensor, b: Tensor) -> Tensor:
    """softmax(a bᵀ/√d) of (..., N, d): (..., N, N), float32."""
    scaled = a * a.shape[-1] ** -0.5
    return (scaled @ b.transpose(-1, -2)).softmax(dim=-1, dtype=torch.float32)


def _over_heads(attention: Tensor) -> Tensor:
    """Σ_heads of (B, H, N, N); of a single head, without a copy."""
    return attention[:, 0] if attention.shape[1] == 1 else attention.sum(dim=1)
