"""Operators of our own, each one launch of a kernel on a GPU.

What counts, fakes or compiles PyTorch's operators treats these alike.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib.metadata import PackageNotFoundError, version

import torch
from mmengine.utils import digit_version
from torch import Tensor

#: The oldest Triton whose kernels have been compared with PyTorch's operations; 2.14 brings it.
OLDEST_TRITON = '3.8'
_LIBRARY = torch.library.Library('mmseg_excel', 'DEF')


def _has_triton() -> bool:
    try:
        return digit_version(version('triton')) >= digit_version(OLDEST_TRITON)
    except PackageNotFoundError:
        return False


_HAS_TRITON = _has_triton()


def has_kernels(values: Tensor) -> bool:
    """Whether there are proven Triton kernels for the device of a tensor."""
    return _HAS_TRITON and values.device.type == 'cuda'


def operator(schema: str, *, cuda: Callable, shaped: Callable) -> Callable:
    """Define an operator.

    Args:
        schema: Name and signature, as ``torch.library`` reads them.
        cuda: Launches its kernel, on whatever device is the current one.
        shaped: Makes an empty result, for tensors without values.
    """
    _LIBRARY.define(schema)
    name = schema.split('(')[0]
    _LIBRARY.impl(name, _beside_its_tensors(cuda), 'CUDA')
    _LIBRARY.impl(name, shaped, 'Meta')
    return getattr(torch.ops.mmseg_excel, name)


def _beside_its_tensors(launch: Callable) -> Callable:
    """Make the device of the first tensor the current one while a kernel is launched."""

    @wraps(launch)
    def launch_there(*args: object) -> object:
        first = next(arg for arg in args if isinstance(arg, Tensor))
        with torch.cuda.device_of(first):
            return launch(*args)

    return launch_there
