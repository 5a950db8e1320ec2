"""DeferredInfoHook: losses are looked at when somebody reads them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from mmengine.hooks import RuntimeInfoHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor


@HOOKS.register_module()
class DeferredInfoHook(RuntimeInfoHook):
    """MMEngine's ``RuntimeInfoHook``, which waits for no device in most iterations.

    That one asks the device for every loss in every iteration, and the host can never run ahead.
    Here losses stay where they are until the iteration in which a hook with an interval does
    something (a log is written, a checkpoint saved), or training or an epoch ends; then they come
    in one copy. What is logged is the same.

    Example:
        >>> default_hooks.update(runtime_info=dict(type='DeferredInfoHook'))
    """

    def __init__(self) -> None:
        self._waiting: list[dict[str, Tensor]] = []

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: Mapping | None = None
    ) -> None:
        """Keep losses, and hand over all there are if somebody might read them."""
        if outputs:
            self._waiting.append(
                {name: torch.as_tensor(value).detach() for name, value in outputs.items()}
            )
        if self._waiting and self._is_read(runner, batch_idx):
            for values in _on_the_host(self._waiting):
                super().after_train_iter(runner, batch_idx, data_batch, values)
            self._waiting = []

    def _is_read(self, runner: Runner, batch_idx: int) -> bool:
        given = {getattr(hook, 'interval', None) for hook in runner.hooks}
        intervals = [n for n in given if isinstance(n, int) and n > 0]
        return (
            self.is_last_train_iter(runner)
            or self.end_of_epoch(runner.train_dataloader, batch_idx)
            or any(self.every_n_train_iters(runner, n) for n in intervals)
            or any(self.every_n_inner_iters(batch_idx, n) for n in intervals)
        )


def _on_the_host(waiting: list[dict[str, Tensor]]) -> list[dict[str, float]]:
    """The same as numbers, in one copy."""
    together = torch.stack([value for values in waiting for value in values.values()])
    numbers = iter(together.tolist())
    return [{name: next(numbers) for name in values} for values in waiting]
