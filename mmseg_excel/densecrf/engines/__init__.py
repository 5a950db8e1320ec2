"""Who computes a DenseCRF's mean field: engines that give the same labels."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from importlib.util import find_spec

import torch
from torch import Tensor

from .kernel import Kernel

# The fastest first, with the packages they need.
PACKAGES = {'numba': 'numba', 'pydensecrf': 'pydensecrf2', 'torch': 'torch'}
AUTO = 'auto'
NAMES = (AUTO, *PACKAGES)
ANY_DEVICE = 'torch'

MeanField = Callable[[Tensor, Tensor, Sequence[Kernel], int], Tensor]


def check_installed(setting: str, name: str) -> None:
    """Refuse an engine whose package is missing.

    Args:
        setting: Where it is asked for, for the message.
        name: One of :data:`NAMES`.

    Raises:
        ImportError: Says how to install it.
    """
    if name != AUTO and not _is_installed(name):
        raise ImportError(
            f"{setting} is '{name}', but its package is not installed: run "
            f"`pip install {PACKAGES[name]}`, or set it to 'auto'."
        )


def engine_for(name: str, device: torch.device) -> str:
    """The engine that refines on a device: the one named, or the fastest there is.

    Args:
        name: One of :data:`NAMES`.
        device: Where the probabilities are.
    """
    if name != AUTO:
        return name
    if device.type != 'cpu':
        return ANY_DEVICE
    return next(filter(_is_installed, PACKAGES))


def mean_field_of(engine: str) -> MeanField:
    """The function of an engine, see :func:`.torch_engine.mean_field`."""
    return importlib.import_module(f'.{engine}_engine', __name__).mean_field


def _is_installed(name: str) -> bool:
    return find_spec(name) is not None
