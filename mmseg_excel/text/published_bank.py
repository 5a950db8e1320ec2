"""Attributes from a file: the bank that the ExCEL reference saves, or one of ours."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ..utils.archives import check_unpacked_size
from ..utils.bad_input import BadInput
from ..utils.checks import in_one_line
from ..utils.text_file import check_file
from .attribute_bank import load_bank
from .vocabulary import Vocabulary


def read_attributes(path: str | Path, vocabulary: Vocabulary, num_attributes: int) -> Tensor:
    """Read the K attributes of a bank, (K, C) in float32.

    Args:
        path: ``*_embedding_bank.pth`` of the reference, or ``*.npz`` of ``build_attributes.py``.
        vocabulary: Whose classes hunt in them.
        num_attributes: K.

    Raises:
        FileNotFoundError: There is no such file.
        BadInput: It is no bank, or one of other classes, or of another number of attributes.
    """
    check_file(path, 'attribute bank')
    if Path(path).suffix == '.npz':
        attributes = load_bank(path).attributes
    else:
        attributes = _read_reference(Path(path), len(vocabulary.classes))
    if len(attributes) != num_attributes:
        raise BadInput(
            f'num_attributes is {num_attributes}, but the attribute bank {path} holds '
            f'{len(attributes)}: set it to {len(attributes)}.'
        )
    return attributes


def _read_reference(path: Path, num_classes: int) -> Tensor:
    """Centroids of the reference's ``[(C, K) centroids, (n, K) which class has which]``."""
    bank, classes = _read_pair(path)
    good = bank.ndim == classes.ndim == 2 and bank.shape[1] == classes.shape[1] and bank.numel() > 0
    if not good or not bank.isfinite().all():
        raise BadInput(
            f'{path} is no attribute bank of the reference: its tensors, {tuple(bank.shape)} and '
            f'{tuple(classes.shape)}, are not finite centroids (C, K) and classes (n, K).'
        )
    if len(classes) != num_classes:
        raise BadInput(
            f'The attribute bank {path} was made for {len(classes)} classes, but the vocabulary '
            f'has {num_classes}: give the bank of its data set.'
        )
    return bank.T.contiguous()


def _read_pair(path: Path) -> tuple[Tensor, Tensor]:
    check_unpacked_size(path)
    try:
        # Plain data: no code in the file runs.
        bank, classes = torch.load(path, map_location='cpu', weights_only=True)
        return bank.float(), classes.float()
    except Exception as error:  # whatever bytes make an unpickler raise, or another content
        raise BadInput(
            f'{path} is no attribute bank of the reference ({type(error).__name__}: '
            f'{in_one_line(error)}): it must hold two tensors, centroids and classes.'
        ) from None
