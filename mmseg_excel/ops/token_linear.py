"""A linear layer on tokens, by whatever multiplies fastest."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from .exporting import is_exporting


def token_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Multiply and add, x Wᵀ + b: tokens (B, N, D) and weights (E, D) give (B, N, E).

    On a CPU as a 1x1 convolution, which oneDNN computes and not the library behind ``F.linear``:
    on an AMD processor 1.2 to 1.3 times faster in float32 (docs/performance.md).
    """
    if x.device.type != 'cpu' or is_exporting():
        return F.linear(x, weight, bias)
    # Tokens side by side are a picture of height 1 whose channels come last: nothing is copied.
    picture = x.transpose(1, 2).unsqueeze(2)
    return F.conv2d(picture, weight[:, :, None, None], bias).squeeze(2).transpose(1, 2)
