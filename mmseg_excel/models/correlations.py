"""How patches attend to each other, averaged over heads; to be looked at, not computed with."""

from __future__ import annotations

import torch
from torch import Tensor

from ..clip.frozen_clip import CLIPTrace
from ..clip.transformer_block import BlockTrace
from ..ops.attention import softmax_attention

CORRELATIONS = {'q-k': ('q', 'k'), 'q-q': ('q', 'q'), 'k-k': ('k', 'k'), 'v-v': ('v', 'v')}


def last_correlations(trace: CLIPTrace) -> dict[str, Tensor]:
    """softmax(a bᵀ/√d) between patches in the last block: name -> (P, P), rows are queries."""
    last, heads = trace.blocks[-1], trace.num_heads
    return {name: _correlation(last, a, b, heads) for name, (a, b) in CORRELATIONS.items()}


def intra_correlation(trace: CLIPTrace, num_layers: int) -> Tensor:
    """Mean of q-q, k-k and v-v over the last blocks, (P, P).

    Its sum over heads calibrates ExCEL's tokens (docs/method.md, section 3).
    """
    blocks, heads = trace.blocks[-num_layers:], trace.num_heads
    return torch.stack([_correlation(b, i, i, heads) for b in blocks for i in 'qkv']).mean(dim=0)


def _correlation(block: BlockTrace, a: str, b: str, num_heads: int) -> Tensor:
    left, right = block.heads(a, num_heads), block.heads(b, num_heads)
    return softmax_attention(left, right)[0].mean(dim=0)[1:, 1:]
