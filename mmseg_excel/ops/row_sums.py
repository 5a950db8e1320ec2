"""Weighted sums of a matrix's rows: all that the filter of a DenseCRF does, step by step.

Every sum is added up in its order, without atomics: the same bits every time. On a GPU with Triton
each is one launch; elsewhere PyTorch's embedding bag does the same.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from .operators import has_kernels, operator


def row_sums(values: Tensor, rows: Tensor, weights: Tensor, starts: Tensor | None = None) -> Tensor:
    """Weighted sums of rows.

    Args:
        values: float32, (N, C).
        rows: Numbers of the rows in each of M sums, int64: (M, K), or with `starts` one sum's after
            the other's, (E,).
        weights: Of these rows, float32, of the same shape.
        starts: Where each sum's rows start, and where the last one's end, int64 (M + 1,).

    Returns:
        float32, (M, C).
    """
    if has_kernels(values):
        return _by_kernel(values, rows, weights, starts)
    return plain_row_sums(values, rows, weights, starts)


def plain_row_sums(
    values: Tensor, rows: Tensor, weights: Tensor, starts: Tensor | None = None
) -> Tensor:
    """The same on any device."""
    return F.embedding_bag(
        rows,
        values,
        starts,
        mode='sum',
        per_sample_weights=weights,
        include_last_offset=starts is not None,
    )


def _launch(values: Tensor, rows: Tensor, weights: Tensor, starts: Tensor | None) -> Tensor:
    from .kernels import row_sums

    return row_sums.row_sums(values, rows, weights, starts)


def _shaped(values: Tensor, rows: Tensor, weights: Tensor, starts: Tensor | None) -> Tensor:
    sums = len(rows) if starts is None else len(starts) - 1
    return values.new_empty(sums, values.shape[1])


_by_kernel = operator(
    'row_sums(Tensor values, Tensor rows, Tensor weights, Tensor? starts) -> Tensor',
    cuda=_launch,
    shaped=_shaped,
)
