"""What an object is, as plain data: the same in every process, with no address of memory in it."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

FEW = 16

Plain = None | bool | int | float | str | list | dict


def plain(value: object) -> Plain:
    """Describe a value by JSON's types.

    Large arrays are described by a hash of their content; functions and classes by their names;
    what computes (modules, transforms, anything callable) by its class and its public attributes.
    An object whose attributes do not say what it is has a method ``identity()``. Of a module's
    tensors only those count that its state dict leaves out.

    Example:
        >>> plain(Resize(scale=(320, 320)))
        {'type': 'mmcv.transforms.processing.Resize', 'scale': [320, 320], ...}
    """
    return _plain(value, ())


def canonical(value: object) -> str:
    """The JSON text of a value as :func:`plain` describes it; equal for what is equal."""
    return json.dumps(plain(value), sort_keys=True)


def sha256(value: object) -> str:
    """Hash of a value as :func:`plain` describes it."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def sha256_of_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Hash of named tensors: their names, types, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f'{name} {tensors[name].dtype} {tuple(tensors[name].shape)}'.encode())
        digest.update(_bytes_of(tensors[name]).data)
    return digest.hexdigest()


def _plain(value: object, around: tuple[int, ...]) -> Plain:
    """Describe; `around` are the objects the value is part of."""
    if isinstance(value, Enum):
        return value.name
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, Tensor | np.ndarray):
        tensor = torch.as_tensor(value)
        few = tensor.numel() <= FEW and not tensor.is_complex()
        return tensor.tolist() if few else sha256_of_tensors({'': tensor})
    if hasattr(value, '__qualname__'):
        return f'{value.__module__}.{value.__qualname__}'
    if id(value) in around:
        return 'itself'
    inside = (*around, id(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item, inside) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, inside) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(item, inside) for item in value), key=str)
    if isinstance(value, functools.partial):
        return _plain([value.func, value.args, value.keywords], inside)
    if hasattr(value, 'identity'):
        return _plain(value.identity(), inside)
    # Loggers, locks and the like are not what computes, and change from run to run.
    attributes = _attributes(value) if callable(value) else ()
    described = {name: _plain(item, inside) for name, item in attributes}
    return {'type': _plain(type(value), ()), **described}


def _attributes(value: object) -> Iterable[tuple[str, object]]:
    for name, item in vars(value).items() if hasattr(value, '__dict__') else ():
        if not name.startswith('_') and name != 'training':
            yield name, item
    if isinstance(value, nn.Module):
        yield from value.named_children()
        for name in sorted(value._non_persistent_buffers_set):
            yield name, value.get_buffer(name)


def _bytes_of(tensor: Tensor) -> np.ndarray:
    flat = tensor.detach().cpu().contiguous().flatten()
    return flat.view(torch.uint8).numpy()
