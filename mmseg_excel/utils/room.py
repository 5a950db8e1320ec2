"""Room: a part of a segmentor, as a config describes it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TypeVar

from mmengine.model import BaseModule
from torch import nn

from .bad_input import BadInput
from .checks import shown

Module = TypeVar('Module', bound=nn.Module)


class Room(BaseModule):
    """MMEngine's module, which refuses an initialisation that none can be.

    Args:
        init_cfg: Of MMEngine's initialisers: a dict with a ``type``, a list of these, or None.

    Raises:
        BadInput: It is none of them.
    """

    def __init__(self, init_cfg: dict | list | None = None) -> None:
        check_init_cfg(type(self).__name__, init_cfg)
        super().__init__(init_cfg)


def check_init_cfg(owner: str, init_cfg: object) -> None:
    """Refuse what MMEngine would read as an initialisation only when weights are initialised."""
    steps = init_cfg if isinstance(init_cfg, list | tuple) else [init_cfg]
    if init_cfg is None or steps and all(_is_step(step) for step in steps):
        return
    raise BadInput(
        f"{owner}.init_cfg is {shown(init_cfg)}, but must be a dict with a 'type', a list of "
        'these, or None.'
    )


def _is_step(step: object) -> bool:
    return isinstance(step, Mapping) and isinstance(step.get('type'), str)


def sibling(module: Module, **changes: object) -> Module:
    """A module that shares all with another one, parameters included, but for some attributes.

    The other one is left as it is: what is asked otherwise is a value, not a change.

    Args:
        module: The module.
        **changes: Attributes, buffers and modules of the sibling.
    """
    other = copy.copy(module)
    # A shallow copy would share these dicts, as PyTorch's own replicas would.
    other._modules = module._modules.copy()
    other._buffers = module._buffers.copy()
    for name, value in changes.items():
        setattr(other, name, value)
    return other
