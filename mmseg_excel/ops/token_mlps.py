"""One small MLP for each of several layers' tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def token_mlps(tokens: Sequence[Tensor], mlps: Sequence[nn.Sequential]) -> Tensor:
    """Apply L MLPs (linear, ReLU, linear) to the tokens of L layers, each (B, P, D).

    On a CPU one after the other: stacked, the tokens would have to be copied. Elsewhere as two
    batched products, to spare launches.

    Returns:
        What the MLPs make of the tokens, layer after layer, (B, L·E, P).
    """
    if not are_batched(tokens[0]):
        adapted = [mlp(x) for mlp, x in zip(mlps, tokens, strict=True)]
        return torch.cat(adapted, dim=-1).transpose(1, 2)
    stacked = torch.stack(list(tokens)).flatten(1, 2).transpose(1, 2)
    hidden = _linears(stacked, [mlp[0] for mlp in mlps]).relu()
    adapted = _linears(hidden, [mlp[2] for mlp in mlps])
    return adapted.unflatten(2, tokens[0].shape[:2]).movedim(2, 0).flatten(1, 2)


def are_batched(x: Tensor) -> bool:
    """Whether the device of a tensor prefers few large products to many."""
    return x.device.type != 'cpu'


def _linears(x: Tensor, layers: Sequence[nn.Linear]) -> Tensor:
    """Multiply and add, W_l x_l + b_l: (L, D, M) gives (L, E, M).

    This way round, gradients of the weights lie in memory as the weights do.
    """
    weights = torch.stack([layer.weight for layer in layers])
    biases = torch.stack([layer.bias for layer in layers])
    return torch.baddbmm(biases[..., None], weights, x)
