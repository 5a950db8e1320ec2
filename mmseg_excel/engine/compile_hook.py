"""CompileHook: adapter and decoder through torch.compile."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ..distributed import unwrapped


@HOOKS.register_module()
class CompileHook(Hook):
    """Compiles what is trained, adapter and decoder, when training starts.

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
        model = unwrapped(runner.model)
        for room in (model.adapter, model.decode_head):
            room.compile(**self.options)
