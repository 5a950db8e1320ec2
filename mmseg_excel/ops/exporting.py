"""Computing while a program of it is recorded, for images of any size and any device."""

from __future__ import annotations

import torch

from ..utils.bad_input import BadInput

_CAN_EXPORT = hasattr(torch.compiler, 'is_exporting')


def check_can_export() -> None:
    """Refuse to record programs where nobody could tell that one is recorded.

    Raises:
        ImportError: PyTorch is too old.
    """
    if not _CAN_EXPORT:
        raise ImportError(f'PyTorch is {torch.__version__}, but exporting needs 2.7 or later.')


def is_exporting() -> bool:
    """Whether ``torch.export`` records: then nothing may depend on how large a tensor is."""
    return _CAN_EXPORT and torch.compiler.is_exporting()


def refuse_tracing_exporter() -> None:
    """Refuse PyTorch's older ONNX exporter, which writes sizes down as constants.

    Raises:
        BadInput: It is at work.
    """
    if torch.onnx.is_in_onnx_export() and torch.jit.is_tracing():
        raise BadInput(
            'torch.onnx.export with dynamo=False would write a graph that is wrong for images of '
            'another size: use mmseg-excel export-onnx.'
        )
