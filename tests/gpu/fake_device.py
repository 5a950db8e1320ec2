"""A GPU that needs none: fake CUDA tensors, on which every wait of the host is an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import Mock, patch

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

FREE = {
    'empty', 'new_empty', 'empty_like', 'empty_strided', 'new_empty_strided', 'detach',
    'lift_fresh', '_unsafe_view',
}  # fmt: skip


@contextmanager
def fake_cuda() -> Iterator[None]:
    """Make tensors that have a shape and a device, but no values.

    A CPU tensor beside one on the device is an error, and so is what waits for the device:
    ``.item()``, shapes that depend on values, NumPy, and copies that are not asynchronous.
    """
    with ExitStack() as stack:
        stack.enter_context(patch.object(Tensor, 'pin_memory', _pinned))
        stack.enter_context(patch.object(Tensor, '__deepcopy__', lambda self, memo: self))
        stack.enter_context(patch.object(F, 'scaled_dot_product_attention', fused_attention))
        stack.enter_context(patch.object(torch.cuda, 'Event', Mock))
        stack.enter_context(patch.object(torch.cuda, 'current_stream', Mock()))
        stack.enter_context(FakeTensorMode())
        stack.enter_context(_NoBlockingCopies())
        yield


def fused_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """What PyTorch chooses by the card, which a fake one does not have."""
    return torch.ops.aten._scaled_dot_product_efficient_attention(q, k, v, None, False)[0]


def _pinned(host: Tensor) -> Tensor:
    host.is_said_to_be_pinned = True
    return host


class _NoBlockingCopies(TorchDispatchMode):
    """Refuses copies between host and device that wait until the device has done all its work.

    Those are all from memory that is not pinned, and those that are not said to be asynchronous.
    """

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        source = _moved(function, args, result)
        if source is not None and source.ndim:
            asynchronous = (kwargs or {}).get('non_blocking') or True in args[2:]
            if source.device.type == 'cpu' and not hasattr(source, 'is_said_to_be_pinned'):
                asynchronous = False
            if not asynchronous:
                raise AssertionError(f'a copy to {result.device} that waits: {tuple(source.shape)}')
        return result


class NoCopies(TorchDispatchMode):
    """Refuses all copies between host and device: a recording repeats the old ones."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        source = _moved(function, args, result)
        if source is not None:
            raise AssertionError(f'a copy to {result.device}: {tuple(source.shape)}')
        return result


def _moved(function, args: tuple, result: Tensor) -> Tensor | None:
    """What an operation copies from one device to another, if it does."""
    name = function.overloadpacket._qualified_op_name
    if name not in ('aten::_to_copy', 'aten::copy_'):
        return None
    source = args[0] if name == 'aten::_to_copy' else args[1]
    return source if source.device.type != result.device.type else None


def on_fake_cuda(model: nn.Module) -> nn.Module:
    """Move a model, in place, to the fake device."""
    for module in model.modules():
        if isinstance(module, BaseDataPreprocessor):
            module._device = torch.device('cuda')
    return model._apply(lambda x: torch.empty(x.shape, dtype=x.dtype, device='cuda'))


class LaunchCounter(TorchDispatchMode):
    """Counts the operations that launch a kernel: all but views and fresh memory."""

    def __init__(self) -> None:
        super().__init__()
        self.launches: Counter[str] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        space, name = function.overloadpacket._qualified_op_name.split('::')
        if space != 'prim' and not function.is_view and name not in FREE:
            self.launches[name] += 1
        return result

    @property
    def total(self) -> int:
        return self.launches.total()
