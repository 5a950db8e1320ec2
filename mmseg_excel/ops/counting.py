"""Histograms of whole numbers."""

from __future__ import annotations

import torch
from torch import Tensor


def count_values(values: Tensor, size: int) -> Tensor:
    """How often each number below `size` is among whole numbers (M,): int64 (size,).

    ``torch.bincount`` looks at the values before it counts, for which elsewhere than on a CPU the
    host would have to wait.
    """
    if values.device.type == 'cpu':
        return torch.bincount(values, minlength=size)
    counts = torch.zeros(size, dtype=torch.int64, device=values.device)
    return counts.scatter_add_(0, values.long(), torch.ones_like(values, dtype=torch.int64))
