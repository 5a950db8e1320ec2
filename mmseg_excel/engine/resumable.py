"""What a checkpoint must hold for a training to go on from it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ..utils.bad_input import BadInput
from ..utils.checkpoints import read_checkpoint, tensors_of
from .small_checkpoint_hook import read_resume_file

_HUB = ('log_scalars', 'runtime_info', 'resumed_keys')


def read_resumable(path: Path) -> dict:
    """Read a checkpoint with all that resuming needs.

    Raises:
        FileNotFoundError: The checkpoint, or the file with its optimiser, does not exist.
        BadInput: It is damaged, or weights alone.
    """
    checkpoint = read_checkpoint(path)
    tensors = tensors_of(checkpoint, path)
    if not _has_counters(checkpoint.get('meta')) or not _is_hub(checkpoint.get('message_hub')):
        raise BadInput(
            f"'{path}' holds weights alone, which cannot be resumed: start anew from them with "
            'load_from, in another --work-dir.'
        )
    if 'optimizer' not in checkpoint:
        checkpoint |= read_resume_file(path.parent, checkpoint['meta']['iter'])
    _check_finite(tensors, path)
    _check_finite(_optimizer_tensors(checkpoint['optimizer']), path)
    return checkpoint


def check_optimizer(optimizer: torch.optim.Optimizer, stored: dict) -> None:
    """Refuse a stored optimiser that does not fit the parameters of this one.

    Raises:
        BadInput: Names the tensor.
    """
    groups = optimizer.param_groups
    parameters = [parameter for group in groups for parameter in group['params']]
    tensors = _optimizer_tensors(stored)
    wrong = [
        f"tensor '{name}' is {tuple(tensor.shape)}"
        for name, tensor in tensors.items()
        if (index := int(name.split('.')[0])) not in range(len(parameters))
        or tensor.shape not in (parameters[index].shape, ())
    ]
    if _group_sizes(stored) != [len(group['params']) for group in groups]:
        wrong.append('it has other groups of parameters')
    if wrong:
        raise BadInput(
            f"The checkpoint's optimiser does not fit the config ({wrong[0]}): resume with the "
            'config it was trained with.'
        )


def _group_sizes(stored: dict) -> list[int] | None:
    try:
        return [len(group['params']) for group in stored['param_groups']]
    except (KeyError, TypeError):
        return None


def _has_counters(meta: object) -> bool:
    counters = [meta.get(name) for name in ('iter', 'epoch')] if isinstance(meta, dict) else [None]
    return all(type(count) is int and count >= 0 for count in counters)


def _is_hub(hub: object) -> bool:
    return isinstance(hub, dict) and all(isinstance(hub.get(part), dict) for part in _HUB)


def _optimizer_tensors(stored: object) -> dict[str, Tensor]:
    """Tensors of an optimiser's state, by number of the parameter and name."""
    state = stored.get('state') if isinstance(stored, dict) else None
    if not isinstance(state, dict):
        return {}
    return {
        f'{index}.{name}': value
        for index, entry in state.items()
        if isinstance(index, int) and isinstance(entry, dict)
        for name, value in entry.items()
        if isinstance(value, Tensor)
    }


def _check_finite(tensors: dict[str, Tensor], path: Path) -> None:
    for name, tensor in tensors.items():
        # One that claims to be larger than its file does not fit the model, which is told later.
        real = tensor.layout == torch.strided and tensor.untyped_storage().nbytes() >= tensor.nbytes
        if real and tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise BadInput(
                f"'{path}': tensor '{name}' holds NaN or infinity: resume from an earlier one."
            )
