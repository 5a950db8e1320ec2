"""Checkpoints are read as plain data, and fit the model or are refused: no code, no luck."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.utils import digit_version
from torch import Tensor

from .bad_input import BadInput
from .checks import shown

State = dict[str, Tensor]

_WAY_OUT = 'give a file that tools/train.py wrote'


def read_checkpoint(path: str | Path) -> Any:
    """Read a checkpoint, on the CPU; no pickled code runs.

    NumPy's numbers are plain data; of the history that MMEngine logs, the place is kept.

    Raises:
        FileNotFoundError: There is no such file.
        BadInput: It is no checkpoint, or a damaged one.
    """
    path = _regular_file(path)
    _check_archive(path)
    try:
        with _plain_allowed():
            return torch.load(path, map_location='cpu', weights_only=True)
    except PermissionError:
        raise
    except Exception as error:  # whatever bytes make an unpickler raise
        raise BadInput(
            f"'{path}' could not be read as a checkpoint ({type(error).__name__}): {_WAY_OUT}, "
            'which holds tensors and plain data alone.'
        ) from None


def read_tensors(path: str | Path) -> State:
    """Read the tensors of a checkpoint or of a bare state dict; names lose ``module.``.

    Raises:
        FileNotFoundError: There is no such file.
        BadInput: It holds no tensors, an optimiser instead of weights, or two tensors of a name.
    """
    return tensors_of(read_checkpoint(path), path)


def tensors_of(content: Any, path: str | Path) -> State:
    """The tensors of what :func:`read_checkpoint` read from a path; see :func:`read_tensors`."""
    if isinstance(content, Mapping):
        if 'optimizer' in content and 'state_dict' not in content:
            raise BadInput(
                f"'{path}' holds the optimiser of a training, not its weights: give the "
                'checkpoint beside it, such as iter_30000.pth.'
            )
        for key in ('state_dict', 'model'):
            if isinstance(content.get(key), Mapping):
                content = content[key]
        tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
        if tensors:
            return _without_wrapper(tensors, path)
    raise BadInput(f"'{path}' holds no tensors: {_WAY_OUT}, or a state dict.")


def check_tensors(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], whole: bool) -> None:
    """Refuse tensors that are not those of a model.

    Args:
        given: Of a checkpoint.
        wanted: Of the model.
        whole: Whether all of the model's must be there, and no others.

    Raises:
        BadInput: A tensor is missing, unknown, of another shape or kind of number, or holds NaN
            or infinity; names it.
    """
    if whole:
        for name in wanted:
            if name not in given:
                _refuse(name, 'is missing', 'give a whole checkpoint of this config')
        for name in given:
            if name not in wanted:
                _refuse(name, 'is none of the model', 'use the config it was trained with')
    for name in given:
        if name in wanted:
            _check_tensor(name, given[name], wanted[name])


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Put the file in front of what is wrong with its content."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"'{path}': {error}") from None


def _check_tensor(name: str, given: Tensor, wanted: Tensor) -> None:
    if given.shape != wanted.shape:
        _refuse(
            name,
            f'is {_size(given)}, but the model of the config has {_size(wanted)}',
            'use the config it was trained with',
        )
    if _kind(given) != _kind(wanted):
        _refuse(
            name,
            f'is {_kind(given)}, but the model has {_kind(wanted)}',
            f'save it as {_kind(wanted)}',
        )
    if given.is_floating_point() and not torch.isfinite(given).all():
        _refuse(name, 'holds NaN or infinity', 'give an earlier checkpoint of the training')


def _refuse(name: str, problem: str, way_out: str) -> None:
    raise BadInput(
        f'The checkpoint does not fit the config: tensor {shown(name)} {problem}; {way_out}.'
    )


def _size(tensor: Tensor) -> str:
    return 'x'.join(map(str, tensor.shape)) or 'a scalar'


def _kind(tensor: Tensor) -> str:
    unusual = 'sparse ' if tensor.layout != torch.strided else 'empty ' if tensor.is_meta else ''
    return unusual + str(tensor.dtype).removeprefix('torch.')


def _without_wrapper(tensors: Mapping[str, Tensor], path: str | Path) -> State:
    """Names without the ``module.`` of what distributed the model."""
    state: State = {}
    for key, tensor in tensors.items():
        name = str(key).removeprefix('module.')
        if ' ' in _kind(tensor):
            raise BadInput(
                f"'{path}' holds a tensor {shown(name)} that is {_kind(tensor)}: {_WAY_OUT}."
            )
        if name in state and not _same(state[name], tensor):
            raise BadInput(
                f"'{path}' holds two different tensors '{name}': {_WAY_OUT}, or rename one."
            )
        state[name] = tensor
    return state


def _same(first: Tensor, second: Tensor) -> bool:
    """Cheap for tensors that claim a size which no memory could hold."""
    return (
        first.shape == second.shape
        and first.numel() <= 10**9
        and first.dtype == second.dtype
        and torch.equal(first, second)
    )


# The file ---------------------------------------------------------------------------------------


def _regular_file(path: str | Path) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise BadInput(f'The checkpoint is {shown(path)}, but must be the path of a file.')
    path = Path(path).expanduser()
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise FileNotFoundError(f"There is no checkpoint '{path}': {_WAY_OUT}.") from None
    except OSError as error:
        raise BadInput(
            f'The checkpoint {shown(str(path))} cannot be read ({error.strerror}): {_WAY_OUT}.'
        ) from None
    if not stat.S_ISREG(mode):
        kind = 'a folder' if stat.S_ISDIR(mode) else 'no regular file'
        raise BadInput(f"The checkpoint '{path}' is {kind}: {_WAY_OUT}.")
    if path.stat().st_size == 0:
        raise BadInput(f"The checkpoint '{path}' is empty: {_WAY_OUT}.")
    return path


def _check_archive(path: Path) -> None:
    """Refuse archives that are damaged, or larger inside than outside; torch reads both."""
    if not zipfile.is_zipfile(path):
        return
    problem = None
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                problem = 'it is compressed, and torch.save compresses nothing'
            elif (damaged := archive.testzip()) is not None:
                problem = f'its part {shown(damaged)} is damaged'
    except Exception as error:  # zipfile raises BadZipFile, ValueError, struct.error, ...
        problem = type(error).__name__
    if problem:
        raise BadInput(f"'{path}' could not be read as a checkpoint ({problem}): {_WAY_OUT}.")


def _plain_allowed() -> AbstractContextManager:
    """Let PyTorch read NumPy's numbers and MMEngine's history.

    PyTorch before 2.6 cannot, and refuses them; what this package writes holds neither.
    """
    if digit_version(torch.__version__) < digit_version('2.6'):
        return nullcontext()
    return torch.serialization.safe_globals(_PLAIN)


class _History:
    """Stands in for MMEngine's HistoryBuffer, which registers what it is unpickled with."""


def _statistic(owner: object, name: str) -> str:
    """Stands in for ``getattr``, by which pickled history names its statistics."""
    if owner is not _History:
        raise ValueError('only the statistics of a history are plain data')
    return name


_RECONSTRUCT: tuple[Any, ...] = (np.zeros(0).__reduce__()[0], np.float64(0).__reduce__()[0])
# Constructors of plain data, by the names under which pickle asks for them.
_PLAIN = [
    np.ndarray,
    np.dtype,
    *(
        (function, f'numpy.{core}.multiarray.{function.__name__}')
        for core in ('core', '_core')
        for function in _RECONSTRUCT
    ),
    *(type(np.dtype(code)) for code in '?bhilqBHILQefd'),
    (_History, 'mmengine.logging.history_buffer.HistoryBuffer'),
    (_statistic, 'builtins.getattr'),
    (_statistic, '__builtin__.getattr'),
]
