"""How far two computations of one number may lie apart, on any processor and any PyTorch.

Vector units, threads and versions add up in orders of their own, and each order rounds otherwise.
The bounds are the method's: far above rounding, far below what any other formula gives. Where
rounding could decide a label, labels are not compared; such pixels must be few.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

FEATURES = 1e-4
LOSSES = 1e-5
GRADIENTS = 1e-3

Numbers = Tensor | np.ndarray


def assert_near(
    actual: Numbers, expected: Numbers, bound: float = FEATURES, name: str | None = None
) -> None:
    """All numbers lie within `bound`, or where all are small, within `bound` of the largest."""
    actual, expected = _double(actual), _double(expected)
    largest = expected.abs().max().item() if expected.numel() else 0.0
    message = None if name is None else lambda text: f'{name}: {text}'
    torch.testing.assert_close(
        actual, expected, rtol=0, atol=bound * min(1.0, largest), msg=message
    )


def assert_same_labels(
    actual: Numbers,
    expected: Numbers,
    scores: Numbers,
    dim: int = 0,
    bound: float = FEATURES,
    undecided: float = 2e-3,
) -> None:
    """Labels are equal wherever the best score along `dim` leads by more than rounding.

    The scores are the expected ones; at most a share of `undecided` of the pixels is left out.
    """
    clear = _lead(scores, dim) > 2 * bound  # the best and the second may each be off by `bound`
    assert (~clear).double().mean() <= undecided, 'too many pixels could go either way'
    actual, expected = (torch.as_tensor(labels).cpu().long() for labels in (actual, expected))
    assert actual.shape == expected.shape
    assert torch.equal(actual[clear], expected[clear])


def _lead(scores: Numbers, dim: int) -> Tensor:
    scores = _double(scores)
    if scores.shape[dim] == 1:
        return torch.full_like(scores.select(dim, 0), torch.inf)
    best, second = scores.topk(2, dim=dim).values.unbind(dim)
    return best - second


def _double(values: Numbers) -> Tensor:
    """In double precision, on the CPU: some devices have none."""
    return torch.as_tensor(values).detach().cpu().double()
