"""FusedAdamW: AdamW as a single kernel where there is one."""

from __future__ import annotations

from collections.abc import Iterable

from mmengine.registry import OPTIMIZERS
from torch import Tensor
from torch.optim import AdamW


@OPTIMIZERS.register_module()
class FusedAdamW(AdamW):
    """PyTorch's ``AdamW``: its fused kind for parameters on CUDA, elsewhere its usual one.

    In mixed precision the fused kind leaves out a step of infinite gradients by itself; before any
    other the host has to wait and look. Either goes on from checkpoints of the other.

    Args:
        params: Parameters, or groups of them.
        **settings: Of ``AdamW``, but for ``fused``.
    """

    def __init__(self, params: Iterable[Tensor | dict], **settings) -> None:
        params = list(params)
        fused = all(parameter.is_cuda for parameter in _parameters_of(params))
        super().__init__(params, fused=fused or None, **settings)

    def load_state_dict(self, state_dict: dict) -> None:
        """Load a state, but for the kind of the optimiser that wrote it."""
        groups = [
            group | dict(fused=own['fused'])
            for group, own in zip(state_dict['param_groups'], self.param_groups, strict=False)
        ]
        super().load_state_dict(state_dict | dict(param_groups=groups))


def _parameters_of(params: list[Tensor | dict]) -> Iterable[Tensor]:
    for given in params:
        if isinstance(given, dict):
            inside = given['params']
            yield from [inside] if isinstance(inside, Tensor) else inside
        else:
            yield given
