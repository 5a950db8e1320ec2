"""Operators of our own, each one launch of a kernel on a GPU.

What counts, fakes or compiles PyTorch's operators treats these alike.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import torch
from torch import Tensor

_HAS_TRITON = importlib.util.find_spec('triton') is not None
_LIBRARY = torch.library.Library('mmseg_excel', 'DEF')


def has_kernels(values: Tensor) -> bool:
    """Whether there are Triton kernels for the device of a tensor."""
    return _HAS_TRITON and values.device.type == 'cuda'


def operator(schema: str, *, cuda: Callable, shaped: Callable) -> Callable:
    """Define an operator.

    Args:
        schema: Name and signature, as ``torch.library`` reads them.
        cuda: Launches its kernel.
        shaped: Makes an empty result, for tensors without values.
    """
    _LIBRARY.define(schema)
    name = schema.split('(')[0]
    _LIBRARY.impl(name, cuda, 'CUDA')
    _LIBRARY.impl(name, shaped, 'Meta')
    return getattr(torch.ops.mmseg_excel, name)
