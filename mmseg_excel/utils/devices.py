"""Devices that a user names."""

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
