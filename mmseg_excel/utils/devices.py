"""Devices that a user names, and the precision they compute in."""

from __future__ import annotations

import torch

from .bad_input import BadInput
from .checks import shown


def check_device(device: str) -> None:
    """Refuse what is no device, or none of this machine.

    Args:
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``...

    Raises:
        BadInput: Says which there are.
    """
    there = ['cpu', *(f'cuda:{index}' for index in range(torch.cuda.device_count()))]
    if torch.cuda.is_available():
        there.insert(1, 'cuda')
    if torch.backends.mps.is_available():
        there.append('mps')
    if not isinstance(device, str | torch.device) or str(device) not in there:
        raise BadInput(
            f'{shown(device)} is no device of this machine: choose from {", ".join(there)}.'
        )


def compute_float32_exactly() -> None:
    """Have convolutions on CUDA multiply with all bits of float32, as matrix products do.

    PyTorch's own default drops 13 of the 23 bits of a fraction (TF32), which moves labels.
    """
    torch.backends.cudnn.allow_tf32 = False


def autocast_dtype(kind: str) -> torch.dtype | None:
    """The precision in which a kind of device, ``'cpu'`` or ``'cuda'``, computes by itself now.

    None if it keeps that of the tensors.
    """
    try:
        return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    except (AttributeError, TypeError):  # before PyTorch 2.4
        if kind == 'cpu':
            return torch.get_autocast_cpu_dtype() if torch.is_autocast_cpu_enabled() else None
        return torch.get_autocast_gpu_dtype() if torch.is_autocast_enabled() else None
