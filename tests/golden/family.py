"""Numbers of the other methods' reference implementations (see README.md beside it)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor


@cache
def arrays(method: str) -> Mapping[str, np.ndarray]:
    """Return every array of ``'weclip'`` or ``'clip_es'``; they are shared: read only."""
    path = Path(__file__).parent / method / 'golden.npz'
    with np.load(path, allow_pickle=False) as stored:
        return MappingProxyType({key: stored[key] for key in stored.files})


def tensor(method: str, name: str) -> Tensor:
    """Return a private copy of one array."""
    return torch.from_numpy(arrays(method)[name].copy())
