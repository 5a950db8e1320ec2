"""Wordbook: class texts for any words, each word encoded once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ..clip.towers import TextEncoder
from .attribute_bank import AttributeBank, encode, get_attribute_bank
from .attributes import hunt_attributes
from .class_texts import all_texts, build_class_texts, check_width
from .descriptions import load_descriptions
from .published_bank import read_attributes
from .vocabulary import Vocabulary


class Wordbook:
    """What a text encoder says of words, remembered.

    Words without descriptions hunt in the attributes of the described ones.

    Args:
        load_encoder: Builds the text encoder; called when the first word is asked for.
        vocabulary: Whose classes are described.
        descriptions: Description file, or the bare name of a packaged one; None if there is none.
        num_attributes: K.
        bank: File of attributes that takes the place of descriptions. Default: None.
    """

    def __init__(
        self,
        load_encoder: Callable[[], TextEncoder],
        vocabulary: Vocabulary,
        descriptions: str | None,
        num_attributes: int,
        bank: str | Path | None = None,
    ) -> None:
        self._load_encoder = load_encoder
        self.vocabulary = vocabulary
        self.descriptions = descriptions
        self.num_attributes = num_attributes
        self.bank = bank

    @functools.cached_property
    def encoder(self) -> TextEncoder:
        """CLIP's text encoder, on the CPU."""
        return self._load_encoder()

    @functools.cached_property
    def attribute_bank(self) -> AttributeBank:
        """The attributes of the descriptions.

        Raises:
            FileNotFoundError: If there are none.
        """
        if self.descriptions is None:
            raise FileNotFoundError(
                'Attributes need a description file: set model.text_head.descriptions in the '
                "config, or ask with texts='global'."
            )
        described = load_descriptions(
            self.descriptions, self.vocabulary.classes, self.vocabulary.prompts
        )
        return get_attribute_bank(self.encoder, all_texts(described), self.num_attributes)

    @functools.cached_property
    def attributes(self) -> Tensor:
        """What words hunt in, (K, C).

        Raises:
            FileNotFoundError: If there is neither bank nor descriptions.
            BadInput: If the bank is not one of this CLIP and these classes.
        """
        if self.bank is None:
            return self.attribute_bank.attributes
        attributes = read_attributes(self.bank, self.vocabulary, self.num_attributes)
        check_width(self.bank, attributes, self._names(self.vocabulary))
        return attributes

    @functools.lru_cache(maxsize=32)  # noqa: B019  a wordbook lives as long as its model
    def texts(
        self,
        vocabulary: Vocabulary,
        mode: str = 'global',
        keep_ratio: float = 0.9,
        attribute_weight: float = 1.0,
    ) -> Tensor:
        """Text embeddings (T, C) of a vocabulary, on the CPU; arguments of `build_class_texts`."""
        if mode == 'fuse':
            return build_class_texts(
                self.encoder, vocabulary, mode='fuse', descriptions=self.descriptions
            )
        names = self._names(vocabulary)
        if mode == 'global':
            return names
        n = len(vocabulary.classes)
        hunted = hunt_attributes(names[:n], self.attributes, keep_ratio, attribute_weight)
        return torch.cat([hunted, names[n:]])

    @functools.lru_cache(maxsize=32)  # noqa: B019
    def _names(self, vocabulary: Vocabulary) -> Tensor:
        return encode(self.encoder, vocabulary.texts)
