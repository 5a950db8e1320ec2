"""Hooks and the learning-rate schedule."""

from .compile_hook import CompileHook
from .phase_hook import PhaseScheduleHook
from .seed_hook import IterationSeedHook
from .small_checkpoint_hook import SmallCheckpointHook
from .warmup_poly import WarmupPolyLR

__all__ = [
    'CompileHook',
    'IterationSeedHook',
    'PhaseScheduleHook',
    'SmallCheckpointHook',
    'WarmupPolyLR',
]
