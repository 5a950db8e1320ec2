"""The T text embeddings that patches are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..clip.tokens import CONTEXT_LENGTH, is_cut
from ..utils.bad_input import BadInput
from ..utils.checks import check_choice, check_whole, shown
from .attribute_bank import TextEncoder, encode, get_attribute_bank
from .attributes import (
    check_attribute_weight,
    check_keep_ratio,
    check_num_attributes,
    hunt_attributes,
)
from .descriptions import Descriptions, load_descriptions
from .published_bank import read_attributes
from .vocabulary import Vocabulary

MODES = ('attributes', 'global', 'fuse')


def build_class_texts(
    encoder: TextEncoder,
    vocabulary: Vocabulary,
    *,
    mode: str = 'attributes',
    descriptions: str | Path | None = None,
    num_attributes: int = 112,
    keep_ratio: float = 0.9,
    attribute_weight: float = 1.0,
    bank: str | Path | None = None,
    cache_dir: str | Path | None = None,
) -> Tensor:
    """Embed every class and background name, the classes enriched with what is known of them.

    docs/method.md, section 4; the modes are those of the ExCEL supplement, Table 2a.

    Args:
        encoder: Text encoder.
        vocabulary: The n classes and T - n backgrounds.
        mode: ``'attributes'``: classes hunt attributes in the whole bank; ``'fuse'``: the mean of
            a class and its own sentences; ``'global'``: the prompt alone.
            Defaults to ``'attributes'``.
        descriptions: Description file, or the bare name of a packaged one. Not read by
            ``'global'``. Defaults to None.
        num_attributes: K. Defaults to 112 (VOC; COCO has 224).
        keep_ratio: K_r, the part of the attributes a class may use. Defaults to 0.9.
        attribute_weight: lambda, the attributes' weight beside the prompt. Defaults to 1.0.
        bank: File of attributes that takes the place of descriptions in mode ``'attributes'``.
            Defaults to None.
        cache_dir: Where attribute banks are cached. Defaults to None: ``$MMSEG_EXCEL_CACHE``, or
            ``~/.cache/mmseg_excel``.

    Returns:
        (T, C) float32 L2-normalised embeddings on the CPU, foreground first.

    Raises:
        FileNotFoundError: If the mode needs a description file and there is none.
        ValueError: If the mode is unknown, the file malformed or incomplete, a setting out of
            range, or if there are fewer sentences than attributes.
    """
    known = read_knowledge(
        vocabulary,
        mode=mode,
        descriptions=descriptions,
        num_attributes=num_attributes,
        keep_ratio=keep_ratio,
        attribute_weight=attribute_weight,
        bank=bank,
    )
    texts = encode(encoder, vocabulary.texts)
    if known is None:
        return texts
    n = len(vocabulary.classes)
    foreground, background = texts[:n], texts[n:]
    if mode == 'fuse':
        foreground = _fuse_sentences(encoder, foreground, known)
    else:
        if isinstance(known, Descriptions):
            known = get_attribute_bank(
                encoder, all_texts(known), num_attributes, cache_dir
            ).attributes
        check_width(bank, known, texts)
        foreground = hunt_attributes(foreground, known, keep_ratio, attribute_weight)
    return torch.cat([foreground, background])


def read_knowledge(
    vocabulary: Vocabulary, *, mode: str, bank: str | Path | None, **settings: Any
) -> Descriptions | Tensor | None:
    """Read what a mode needs beside the names: sentences, attributes (K, C), or nothing.

    Arguments and errors are those of :func:`build_class_texts`.
    """
    if bank is None or mode != 'attributes':
        return read_sentences(vocabulary, mode=mode, **settings)
    read_sentences(vocabulary, mode='global', **settings)  # checks the numbers
    return read_attributes(bank, vocabulary, settings['num_attributes'])


def check_width(bank: str | Path | None, attributes: Tensor, texts: Tensor) -> None:
    """Refuse attributes (K, C) that are not as wide as CLIP's texts (T, C)."""
    if attributes.shape[1] != texts.shape[1]:
        raise BadInput(
            f'The attribute bank {bank} is {attributes.shape[1]} wide, but CLIP embeds texts in '
            f'{texts.shape[1]} dimensions: give the bank of this CLIP, or leave it out.'
        )


def read_sentences(
    vocabulary: Vocabulary,
    *,
    mode: str,
    descriptions: str | Path | None,
    num_attributes: int,
    keep_ratio: float,
    attribute_weight: float,
) -> Descriptions | None:
    """Read the sentences that a mode needs, None for ``'global'``, and check all settings.

    Arguments and errors are those of :func:`build_class_texts`.
    """
    if not isinstance(vocabulary, Vocabulary):
        raise BadInput(f'vocabulary is {shown(vocabulary)}: make one with get_vocabulary.')
    check_choice('mode', mode, MODES)
    check_keep_ratio(keep_ratio)
    check_attribute_weight(attribute_weight)
    check_whole('num_attributes', num_attributes, '[1, inf)')
    if mode == 'global':
        return None
    if descriptions is None:
        raise FileNotFoundError(
            f'mode={mode!r} needs a description file, but descriptions is None. Provide the file, '
            "for example with tools/generate_descriptions.py, or use mode='global'."
        )
    described = load_descriptions(descriptions, vocabulary.classes, vocabulary.prompts)
    for name in described.sentences:
        _check_whole(descriptions, name, described)
    if mode == 'attributes':
        check_num_attributes(num_attributes, len(all_texts(described)))
    return described


def _check_whole(source: str | Path, name: str, described: Descriptions) -> None:
    """Refuse sentences of which CLIP would read the beginning only."""
    for sentence, text in zip(described.sentences[name], described.texts(name), strict=True):
        if is_cut(text):
            raise BadInput(
                f'{source}: CLIP reads {CONTEXT_LENGTH} tokens, and this sentence about {name!r} '
                f'has more with the template in front: {shown(sentence)}. Shorten it.'
            )


def all_texts(descriptions: Descriptions) -> list[str]:
    """The M texts of a knowledge base, class by class, as the encoder reads them."""
    return [text for name in descriptions.sentences for text in descriptions.texts(name)]


def _fuse_sentences(encoder: TextEncoder, class_texts: Tensor, described: Descriptions) -> Tensor:
    """Mean of each class and its own sentences, L2-normalised: (n, C)."""
    counts = [len(lines) for lines in described.sentences.values()]
    own = encode(encoder, all_texts(described)).split(counts)
    means = [torch.cat([t[None], s]).mean(0) for t, s in zip(class_texts, own, strict=True)]
    return F.normalize(torch.stack(means), dim=1)
