"""IterationSeedHook: dropout that a resumed run repeats."""

from __future__ import annotations

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seeds PyTorch before every training iteration from the run's seed, rank and iteration.

    MMEngine restores weights, optimiser and data order on resume, but not the state of PyTorch's
    generators; with this hook a resumed run draws the dropout masks of the unbroken one.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        """Seed the generators of all devices."""
        torch.manual_seed(hash((runner.seed, get_rank(), runner.iter)) % 2**63)
