"""Between the host and a device, without a wait."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(host: Tensor, device: torch.device | str) -> Tensor:
    """Copy a tensor from the host to a device, behind whatever that has still to do.

    From memory that the system could move, the host would have to wait until all is done. A tensor
    that is on the device stays as it is.
    """
    if torch.device(device).type == 'cuda' and is_at_hand(host):
        host = host.pin_memory()
    return host.to(device, non_blocking=True)


def is_at_hand(values: Tensor) -> bool:
    """Whether the host can look at values without a wait."""
    return values.device.type == 'cpu'


class Arrival:
    """Values on their way to the host, behind whatever the device has still to do.

    Args:
        values: On any device.
    """

    def __init__(self, values: Tensor) -> None:
        self._event = torch.cuda.Event() if values.device.type == 'cuda' else None
        self._values = values.to('cpu', non_blocking=self._event is not None)
        if self._event is not None:
            self._event.record(torch.cuda.current_stream(values.device))

    def done(self) -> bool:
        """Whether they are there."""
        return self._event is None or self._event.query()

    def result(self) -> Tensor:
        """The values; waits for them."""
        if self._event is not None:
            self._event.synchronize()
        return self._values
