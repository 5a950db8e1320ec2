"""Hooks and the learning-rate schedule."""

from .phase_hook import PhaseScheduleHook
from .seed_hook import IterationSeedHook
from .small_checkpoint_hook import SmallCheckpointHook
from .warmup_poly import WarmupPolyLR

__all__ = ['IterationSeedHook', 'PhaseScheduleHook', 'SmallCheckpointHook', 'WarmupPolyLR']
