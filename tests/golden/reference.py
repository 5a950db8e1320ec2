"""Numbers of the published reference implementation, loaded once (see README.md beside it)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

VOC = Path(__file__).parent / 'voc'
# Rounding in the scores of the edge cases: their refined maps, up to 0.4, differ by 0.004 within
# an image, and normalising spreads that over 0..1, last bits (0.4 * 2e-7) included.
FLAT_MAPS = 2e-5


@cache
def golden() -> Mapping[str, np.ndarray]:
    """Return every array of golden.npz; treat them as read-only, they are shared."""
    return _load('golden.npz')


@cache
def tiny_clip_state() -> dict[str, Tensor]:
    """Return the tiny CLIP's weights in fp32 under OpenAI's key names."""
    return _as_state(_load('tiny_clip_fp16.npz'))


@cache
def decoder_state() -> dict[str, Tensor]:
    """Return adapter (`decoder_fts_fuse.*`) and decoder (`decoder.*`) weights in fp32."""
    return _as_state(_load('decoder_fp16.npz'))


def golden_tensor(name: str) -> Tensor:
    """Return a private copy of one golden array as a tensor."""
    return torch.from_numpy(golden()[name].copy())


def full_resolution_logits() -> Tensor:
    """Return the golden logits as large as the images; their best classes are the prediction."""
    return F.interpolate(golden_tensor('seg_logits'), (320, 320), mode='bilinear')


def _load(name: str) -> Mapping[str, np.ndarray]:
    with np.load(VOC / name, allow_pickle=False) as arrays:
        return MappingProxyType({key: arrays[key] for key in arrays.files})


def _as_state(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array).float() for name, array in arrays.items()}
