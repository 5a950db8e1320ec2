"""Files of CLIP weights: read as tensors, whatever their format, and nothing of them run."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..utils.archives import check_unpacked_size
from ..utils.bad_input import BadInput

# What weight files hold beside the weights of the two towers.
SCALARS = {
    'attn_mask',
    'context_length',
    'input_resolution',
    'logit_bias',
    'logit_scale',
    'vocab_size',
}


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read tensors in fp32 from safetensors, a TorchScript archive or a plain state dict.

    Raises:
        BadInput: The file cannot be read so, holds code that reading it would run, or a tensor
            that is no weight; names the file and the tensor.
    """
    try:
        check_unpacked_size(path)
        _check_code(path)
        stored = _read(path)
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(
            f"'{path}' could not be read as CLIP weights ({type(error).__name__}): it must be a "
            'TorchScript archive, a state dict of tensors or a safetensors file.'
        ) from error
    state = _named_tensors(stored)
    if not state:
        raise BadInput(f"'{path}' holds no tensors: give the weights of a CLIP ViT.")
    return {name: _checked(path, name, tensor) for name, tensor in state.items()}


def _read(path: Path) -> object:
    if path.suffix == '.safetensors':
        from safetensors.torch import load_file

        return load_file(path)
    if _is_torchscript(path):
        return torch.jit.load(path, map_location='cpu').state_dict()
    return torch.load(path, map_location='cpu', weights_only=True)


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith('constants.pkl') for name in archive.namelist())


def _check_code(path: Path) -> None:
    """Refuse what TorchScript would run while it is loaded; all else in an archive is only read."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith('.py') and b'__setstate__' in archive.read(name):
                raise BadInput(
                    f"'{path}' holds code that runs when it is loaded ('{name}'), which CLIP's "
                    'archives do not: give a state dict of tensors or a safetensors file.'
                )


def _named_tensors(stored: object) -> dict[str, Tensor]:
    if isinstance(stored, Mapping) and isinstance(stored.get('state_dict'), Mapping):
        stored = stored['state_dict']
    items = stored.items() if isinstance(stored, Mapping) else ()
    return {
        name.removeprefix('module.'): value
        for name, value in items
        if isinstance(name, str) and isinstance(value, Tensor)
    }


def _checked(path: Path, name: str, tensor: Tensor) -> Tensor:
    """The tensor in fp32, if it holds the finite numbers it says."""
    wrong = _why_no_weight(tensor, whole_numbers=name in SCALARS)
    if wrong:
        raise BadInput(
            f"'{path}' is damaged or holds no weights: its tensor '{name}' {wrong}. Give the "
            'weights of a CLIP ViT in floating point.'
        )
    return tensor.float()


def _why_no_weight(tensor: Tensor, whole_numbers: bool) -> str | None:
    numbers = tensor.is_floating_point() or whole_numbers
    if tensor.layout != torch.strided or tensor.is_meta or not numbers:
        return f'is of type {tensor.dtype}, {tensor.layout}, {tensor.device}'.replace('torch.', '')
    # Before anything touches the values: a view of one number may claim to be a million millions.
    if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
        return f'claims {tensor.numel()} values and holds fewer'
    # The causal mask of a text tower is infinite; no weight is.
    if not whole_numbers and not tensor.float().isfinite().all():
        return 'holds values that are not finite'
    return None
