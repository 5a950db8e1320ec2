"""Hooks, the optimiser and the learning-rate schedule."""

from .atomic_checkpoint_hook import AtomicCheckpointHook
from .class_names_hook import ClassNamesHook
from .compile_hook import CompileHook
from .deferred_info_hook import DeferredInfoHook
from .fused_adamw import FusedAdamW
from .graph_hook import GraphHook
from .mask_count_hook import MaskCountHook
from .phase_hook import PhaseScheduleHook
from .run_guard_hook import RunGuardHook
from .seed_hook import IterationSeedHook
from .small_checkpoint_hook import SmallCheckpointHook
from .warmup_poly import WarmupPolyLR

__all__ = [
    'AtomicCheckpointHook',
    'ClassNamesHook',
    'CompileHook',
    'DeferredInfoHook',
    'FusedAdamW',
    'GraphHook',
    'IterationSeedHook',
    'MaskCountHook',
    'PhaseScheduleHook',
    'RunGuardHook',
    'SmallCheckpointHook',
    'WarmupPolyLR',
]
