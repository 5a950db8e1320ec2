"""CLIP's transformer block, run and traced."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from open_clip.transformer import QuickGELU
from torch import Tensor, nn

from ..ops.attention import mix_and_sum_heads, mix_heads, sum_heads
from ..ops.token_linear import token_linear


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
    qkv: Tensor
    attended: Tensor
    attention: Tensor | None

    def drop_inner(self) -> None:
        """Forget all but the output and the attention that was kept: most of the memory."""
        self.qkv = self.attended = None

    def heads(self, which: str, num_heads: int) -> Tensor:
        """Return 'q', 'k' or 'v' split into heads, (B, H, N, d); 'qkv' as 3H heads."""
        heads = self.qkv.unflatten(-1, (3 * num_heads, -1)).transpose(1, 2)
        return heads if which == 'qkv' else heads.chunk(3, dim=1)['qkv'.index(which)]

    def attention_over_heads(self, num_heads: int) -> Tensor:
        """`attention`, computed now if it was not asked for then."""
        if self.attention is not None:
            return self.attention
        return sum_heads(self.heads('q', num_heads), self.heads('k', num_heads))


@dataclass(frozen=True)
class QuickMLP:
    """The small parameters of a block's MLP, ready for QuickGELU in one pass.

    QuickGELU(h) = h σ(1.702 h) = silu(1.702 h) / 1.702. The first factor goes into the layer norm,
    the second into the sum, so that one pass over the widest tensor is left of three.

    Attributes:
        norm_weight: 1.702 times that of the layer norm, (D,).
        norm_bias: The same of its bias, (D,).
        inner_bias: The same of the first layer's bias, (4D,).
        outer_bias: The same of the second layer's, (D,).
    """

    norm_weight: Tensor
    norm_bias: Tensor
    inner_bias: Tensor
    outer_bias: Tensor

    @classmethod
    def of(cls, block: nn.Module) -> QuickMLP | None:
        """Those of a block; None if its activation is another."""
        norm, (inner, activation, outer) = block.ln_2, block.mlp
        if not isinstance(activation, QuickGELU):
            return None
        parameters = (norm.weight, norm.bias, inner.bias, outer.bias)
        return cls(*(1.702 * parameter for parameter in parameters))


def run_block(
    block: nn.Module, x: Tensor, keep_attention: bool = False, quick: QuickMLP | None = None
) -> BlockTrace:
    """Run a pre-norm block of open_clip's.

    Args:
        block: A ``ResidualAttentionBlock``.
        x: Tokens, (B, N, D).
        keep_attention: Whether the attention, summed over heads, is kept. Default: False.
        quick: What a block that is not trained has ready. Default: made now.
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
    output = _add_mlp(block, attended, quick or QuickMLP.of(block))
    return BlockTrace(output, out_proj, qkv, attended, summed)


def _add_mlp(block: nn.Module, x: Tensor, quick: QuickMLP | None) -> Tensor:
    """Tokens and the MLP of a block's on top of them."""
    norm = block.ln_2
    if quick is None:
        return x + block.mlp(norm(x))
    inner, _, outer = block.mlp
    scaled = F.layer_norm(x, norm.normalized_shape, quick.norm_weight, quick.norm_bias, norm.eps)
    hidden = F.silu(token_linear(scaled, inner.weight, quick.inner_bias), inplace=True)
    narrow = token_linear(hidden, outer.weight, quick.outer_bias)
    return torch.add(x, narrow, alpha=1 / 1.702)
