"""Hooks and the learning-rate schedule."""

from .class_names_hook import ClassNamesHook
from .compile_hook import CompileHook
from .phase_hook import PhaseScheduleHook
from .seed_hook import IterationSeedHook
from .small_checkpoint_hook import SmallCheckpointHook
from .warmup_poly import WarmupPolyLR

__all__ = [
    'ClassNamesHook',
    'CompileHook',
    'IterationSeedHook',
    'PhaseScheduleHook',
    'SmallCheckpointHook',
    'WarmupPolyLR',
]
