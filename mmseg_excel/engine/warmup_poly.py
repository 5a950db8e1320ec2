"""WarmupPolyLR: the learning-rate schedule of ExCEL."""

from __future__ import annotations

import math

from mmengine.optim import BaseOptimWrapper
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler
from mmengine.registry import PARAM_SCHEDULERS
from torch.optim import Optimizer

from ..utils.bad_input import BadInput
from ..utils.checks import check_flag, check_keys, check_number, check_whole, shown

MMENGINES = ('by_epoch', 'begin', 'end', 'last_step', 'verbose')


@PARAM_SCHEDULERS.register_module()
class WarmupPolyLR(LRSchedulerMixin, _ParamScheduler):
    """Linear warm-up, then polynomial decay to zero (docs/method.md, section 8).

    The decay counts from iteration 0, not from the end of the warm-up, which MMEngine's
    ``LinearLR`` and ``PolyLR`` in a row cannot express.

    Args:
        optimizer: Optimiser or optimiser wrapper.
        max_iters: Iterations until the rate is zero. Default: 30 000.
        warmup_iters: Default: 50.
        warmup_ratio: First learning rate over the base rate. Default: 1e-6.
        power: Of the polynomial. Default: 1.
        **kwargs: MMEngine's ``by_epoch`` (set it to False in a config), ``begin``, ``end``.
    """

    def __init__(
        self,
        optimizer,
        max_iters: int = 30000,
        warmup_iters: int = 50,
        warmup_ratio: float = 1e-6,
        power: float = 1.0,
        **kwargs,
    ) -> None:
        check_whole('WarmupPolyLR.max_iters', max_iters, '[1, 1e9]')
        check_whole('WarmupPolyLR.warmup_iters', warmup_iters, '[0, 1e9]')
        check_number('WarmupPolyLR.warmup_ratio', warmup_ratio, '[0, 1]')
        check_number('WarmupPolyLR.power', power, '[0, 100]')
        check_keys('WarmupPolyLR', kwargs, MMENGINES)
        for flag in ('by_epoch', 'verbose'):
            check_flag(f'WarmupPolyLR.{flag}', kwargs.get(flag, False))
        for name, interval in dict(begin='[0, 1e9]', end='[1, 1e9]', last_step='[-1, 1e9]').items():
            if name in kwargs:
                check_whole(f'WarmupPolyLR.{name}', kwargs[name], interval)
        if kwargs.get('begin', 0) >= kwargs.get('end', math.inf):
            raise BadInput(
                f'WarmupPolyLR.begin is {kwargs["begin"]}, but must be below end, {kwargs["end"]}.'
            )
        if not isinstance(optimizer, Optimizer | BaseOptimWrapper):
            raise BadInput(f'WarmupPolyLR.optimizer is {shown(optimizer)}, which is none.')
        self.max_iters = max_iters
        self.warmup_iters = warmup_iters
        self.warmup_ratio = warmup_ratio
        self.power = power
        super().__init__(optimizer, **kwargs)

    def factor(self, iteration: int) -> float:
        """Learning rate over the base rate."""
        if iteration < self.warmup_iters:
            return 1 - (1 - iteration / self.warmup_iters) * (1 - self.warmup_ratio)
        return max(1 - iteration / self.max_iters, 0.0) ** self.power

    def load_state_dict(self, state_dict: dict) -> None:
        """Restore how far it has come; where it ends is said by the run that goes on."""
        super().load_state_dict(state_dict | dict(end=self.end))
        if state_dict.get('end', self.end) <= self._global_step < self.end:
            # A shorter run took no step at its end: this one makes up for it.
            self._global_step -= 1
            self.step()

    def _get_value(self) -> list[float]:
        return [base * self.factor(self.last_step) for base in self.base_values]
