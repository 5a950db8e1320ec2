"""CompileHook: torch.compile where it helps."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ..distributed import unwrapped
from ..models import ExCEL


@HOOKS.register_module()
class CompileHook(Hook):
    """Compiles adapter, decoder and an iteration of PAR, when training starts.

    Labels change by rounding only, and checkpoints not at all. CLIP is not compiled: its time is
    spent in matrix products.

    Args:
        **options: Of ``torch.compile``, for example ``mode='max-autotune'``.

    Example:
        >>> custom_hooks.append(dict(type='CompileHook'))
    """

    def __init__(self, **options) -> None:
        self.options = options

    def before_train(self, runner: Runner) -> None:
        """Compile; the work is done in the first iteration."""
        compile_rooms(unwrapped(runner.model), **self.options)


def compile_rooms(model: ExCEL, **options) -> None:
    """Let ``torch.compile``, with its options, speed up a model in place."""
    neighbour_sum = model.pseudo_labeler.pixel_adaptive.neighbour_sum
    for room in (model.adapter, model.decode_head, neighbour_sum):
        room.compile(**options)
