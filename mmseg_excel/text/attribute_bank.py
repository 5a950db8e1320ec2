"""The attribute bank: built once from sentences and an encoder, then read from disk."""

from __future__ import annotations

import hashlib
import io
import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..utils.archives import check_unpacked_size
from ..utils.atomic import write_atomically
from ..utils.bad_input import BadInput
from ..utils.checks import check_folder_name, check_sentences, check_whole, shown
from ..utils.records import first_difference, told
from ..utils.text_file import check_path
from .attributes import N_INIT, RANDOM_STATE, cluster_attributes


class TextEncoder(Protocol):
    """What turns M texts into (M, C) float32 L2-normalised embeddings.

    ``fingerprint`` identifies the model: its weights, its configuration and its tokenizer.
    """

    fingerprint: str

    def __call__(self, texts: list[str]) -> Tensor:
        """Embeddings of the texts, (M, C)."""
        ...


@dataclass(frozen=True)
class AttributeBank:
    """Attributes and the sentences they were made of.

    Args:
        attributes: (K, C) centroids.
        clusters: (M,) attribute 0..K-1 of every sentence.
        embeddings: (M, C) L2-normalised sentence embeddings.
        sentences: The M texts as the encoder read them.
        provenance: What the bank was made from: everything its content key covers but the
            sentences themselves.
    """

    attributes: Tensor
    clusters: Tensor
    embeddings: Tensor
    sentences: tuple[str, ...]
    provenance: dict[str, object]


def default_cache_dir() -> Path:
    """``$MMSEG_EXCEL_CACHE``, or ``~/.cache/mmseg_excel``.

    Raises:
        BadInput: It is in the home of somebody who has none.
    """
    path = Path(os.environ.get('MMSEG_EXCEL_CACHE') or '~/.cache/mmseg_excel')
    try:
        return path.expanduser()
    except RuntimeError:
        raise BadInput(
            f"The cache of attribute banks cannot be '{path}', as there is no such home: set "
            'MMSEG_EXCEL_CACHE to another folder.'
        ) from None


def get_attribute_bank(
    encoder: TextEncoder,
    sentences: Sequence[str],
    num_attributes: int,
    cache_dir: str | Path | None = None,
) -> AttributeBank:
    """The bank of some sentences: from the cache if it is there, else built and cached.

    Args:
        encoder: Text encoder.
        sentences: The M texts, template included.
        num_attributes: K.
        cache_dir: Directory of cached banks. Defaults to None: ``default_cache_dir()``.

    Raises:
        BadInput: If a setting is none, or there are fewer sentences than attributes.
    """
    check_whole('num_attributes', num_attributes, '[1, inf)')
    check_sentences('sentences', sentences)
    provenance = _provenance(encoder, num_attributes)
    path = bank_path(encoder, sentences, num_attributes, cache_dir)
    try:
        bank = load_bank(path)
        _check_origin(bank, path, sentences, provenance)
        return bank
    except OSError:  # not there, or not readable
        pass
    except ValueError as error:
        warnings.warn(f'{error} It is built again.', stacklevel=2)
    embeddings = encode(encoder, sentences)
    attributes, clusters = cluster_attributes(embeddings, num_attributes)
    bank = AttributeBank(attributes, clusters, embeddings, tuple(sentences), provenance)
    try:
        save_bank(bank, path)
    except OSError as error:
        warnings.warn(f'The attribute bank was not cached: {error}.', stacklevel=2)
    return bank


@torch.no_grad()
def encode(encoder: TextEncoder, texts: Sequence[str]) -> Tensor:
    """(M, C) embeddings of the texts, on the CPU."""
    if not callable(encoder):
        raise BadInput(f'encoder is {shown(encoder)}, but must be a text encoder.')
    return encoder(list(texts)).float().cpu()


def bank_path(
    encoder: TextEncoder,
    sentences: Sequence[str],
    num_attributes: int,
    cache_dir: str | Path | None = None,
) -> Path:
    """Where the cache keeps a bank: its name is the hash of all that decides its content."""
    content = {'sentences': list(sentences), **_provenance(encoder, num_attributes)}
    key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    if cache_dir is not None:
        check_folder_name('cache_dir', cache_dir)
    directory = Path(cache_dir) if cache_dir is not None else default_cache_dir()
    return directory / f'attributes-{key}.npz'


def _check_origin(
    bank: AttributeBank, path: Path, sentences: Sequence[str], provenance: dict[str, object]
) -> None:
    """Refuse a bank that has the right name, but was made of something else."""
    wanted = dict(provenance, sentences=list(sentences))
    difference = first_difference(dict(bank.provenance, sentences=list(bank.sentences)), wanted)
    if difference:
        raise BadInput(f'{path} is the bank of something else: {told(difference)}.')


def _provenance(encoder: TextEncoder, num_attributes: int) -> dict[str, object]:
    return {
        'encoder': encoder.fingerprint,
        'num_attributes': num_attributes,
        'random_state': RANDOM_STATE,
        'n_init': N_INIT,
        'scikit_learn': version('scikit-learn'),
    }


def save_bank(bank: AttributeBank, path: str | Path) -> None:
    """Write a bank; readers see all of it or none. Equal banks give equal bytes.

    Raises:
        OSError: If the directory cannot be written.
    """
    buffer = io.BytesIO()
    np.savez(
        buffer,
        attributes=bank.attributes.numpy(),
        clusters=bank.clusters.numpy(),
        embeddings=bank.embeddings.numpy(),
        sentences=np.array(bank.sentences),
        provenance=np.array(json.dumps(bank.provenance, sort_keys=True)),
    )
    write_atomically(path, buffer.getvalue())


def load_bank(path: str | Path) -> AttributeBank:
    """Read a bank.

    Raises:
        FileNotFoundError: If there is no such file.
        BadInput: If the file is not a bank.
    """
    check_path(path, 'attribute bank')
    if not Path(path).is_file():  # reading a pipe would wait for ever
        raise FileNotFoundError(f"There is no attribute bank '{path}'.")
    try:
        check_unpacked_size(Path(path))
        with np.load(path, allow_pickle=False) as stored:
            bank = AttributeBank(
                attributes=torch.from_numpy(stored['attributes']),
                clusters=torch.from_numpy(stored['clusters']),
                embeddings=torch.from_numpy(stored['embeddings']),
                sentences=tuple(stored['sentences'].tolist()),
                provenance=json.loads(str(stored['provenance'])),
            )
        good = _is_whole(bank)
    except OSError:
        raise
    except Exception:  # whatever damaged bytes make of NumPy, JSON and zip
        good = False
    if not good:
        raise BadInput(f'{path} is not an attribute bank, or a damaged one.')
    return bank


def _is_whole(bank: AttributeBank) -> bool:
    """Whether the parts fit together and hold numbers."""
    (num_attributes, width), num_sentences = bank.attributes.shape, len(bank.sentences)
    return (
        bank.attributes.dtype == bank.embeddings.dtype == torch.float32
        and bank.embeddings.shape == (num_sentences, width)
        and bank.clusters.shape == (num_sentences,)
        and not bank.clusters.is_floating_point()
        and 0 <= int(bank.clusters.min()) <= int(bank.clusters.max()) < num_attributes
        and bool(bank.attributes.isfinite().all() and bank.embeddings.isfinite().all())
        and all(isinstance(sentence, str) for sentence in bank.sentences)
        and isinstance(bank.provenance, dict)
        and bank.provenance.get('num_attributes') == num_attributes
    )
