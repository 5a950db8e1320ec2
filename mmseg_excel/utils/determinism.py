"""Training that repeats itself bit for bit."""

from __future__ import annotations

import os
from collections.abc import Mapping

from mmengine.config import Config

from .bad_input import BadInput
from .checks import check_flag, check_whole, shown

#: The most that NumPy can be seeded with.
MOST_SEED = 2**32 - 1


def set_randomness(cfg: Config, seed: int | None = None, deterministic: bool = False) -> None:
    """Set a config's seed, and ask PyTorch for algorithms that give the same bits every time.

    docs/reproduction.md tells which operations that concerns. On CUDA, call it before the first
    matrix product: cuBLAS reads its work space setting once.

    Args:
        cfg: Changed in place.
        seed: None (default) keeps the config's.
        deterministic: Default: False, the config's choice.

    Raises:
        BadInput: If the seed is no whole number from 0 to ``MOST_SEED``.
    """
    check_flag('deterministic', deterministic)
    randomness = cfg.get('randomness') or {}
    if not isinstance(randomness, Mapping):
        raise BadInput(f'randomness is {shown(randomness)}, but must be a dict.')
    randomness = dict(randomness)
    if seed is not None:
        randomness['seed'] = seed
    if deterministic:
        randomness['deterministic'] = True
        os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
    if randomness.get('seed') is not None:
        check_whole('seed', randomness['seed'], f'[0, {MOST_SEED}]')
    cfg.randomness = randomness
