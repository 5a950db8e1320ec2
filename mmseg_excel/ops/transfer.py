"""From the host to a device, without a wait."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(host: Tensor, device: torch.device | str) -> Tensor:
    """Copy a tensor from the host to a device, behind whatever that has still to do.

    From memory that the system could move, the host would have to wait until all is done.
    """
    if torch.device(device).type == 'cuda':
        host = host.pin_memory()
    return host.to(device, non_blocking=True)


def is_at_hand(values: Tensor) -> bool:
    """Whether the host can look at values without a wait."""
    return values.device.type == 'cpu'
