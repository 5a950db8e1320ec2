"""What the attributes mean: which sentences made them, and which classes use them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from .attribute_bank import AttributeBank, TextEncoder, encode, get_attribute_bank
from .attributes import hunt_attributes, hunting_weights
from .class_texts import all_texts, read_sentences
from .vocabulary import Vocabulary


@dataclass(frozen=True)
class TextReport:
    """The classes, the attributes, and what one takes from the other.

    Args:
        classes: The n class names.
        bank: The K attributes and their M sentences.
        weights: (n, K) part of each attribute in each class; 0 where it was dropped.
        prompts: (n, C) class texts before enrichment.
        enriched: (n, C) class texts after it.
    """

    classes: tuple[str, ...]
    bank: AttributeBank
    weights: Tensor
    prompts: Tensor
    enriched: Tensor

    def nearest_sentences(self, attribute: int, count: int = 3) -> list[str]:
        """The sentences of an attribute's cluster nearest to its centroid, nearest first."""
        members = (self.bank.clusters == attribute).nonzero().flatten()
        centroid = self.bank.attributes[attribute]
        distances = (self.bank.embeddings[members] - centroid).norm(dim=1)
        return [self.bank.sentences[i] for i in members[distances.argsort()[:count]]]

    def hunters(self, attribute: int, count: int = 3) -> list[tuple[str, float]]:
        """The classes that take most of an attribute, with the part it has in them."""
        best = self._best(self.weights[:, attribute], count)
        return [(name, part) for name, part in best if part > 0]

    def hunted(self, name: str, count: int | None = None) -> list[tuple[int, float]]:
        """The attributes a class keeps, with their weights, most first."""
        weights = self.weights[self.classes.index(name)]
        order = weights.argsort(descending=True)[:count]
        return [(int(i), float(weights[i])) for i in order if weights[i] > 0]

    def confusable(
        self, name: str, count: int = 3
    ) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
        """The classes most like one class, with their cosines: before and after enrichment."""
        index = self.classes.index(name)
        nearest = []
        for texts in (self.prompts, self.enriched):
            cosines = texts @ texts[index]
            cosines[index] = -torch.inf
            nearest.append(self._best(cosines, min(count, len(self.classes) - 1)))
        return nearest[0], nearest[1]

    def _best(self, scores: Tensor, count: int) -> list[tuple[str, float]]:
        top = scores.topk(min(count, len(scores)))
        return [
            (self.classes[i], value)
            for i, value in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        ]


def inspect_texts(
    encoder: TextEncoder,
    vocabulary: Vocabulary,
    *,
    descriptions: str | Path | None,
    num_attributes: int = 112,
    keep_ratio: float = 0.9,
    attribute_weight: float = 1.0,
    cache_dir: str | Path | None = None,
) -> TextReport:
    """Enrich class texts as ``build_class_texts`` does, and keep what led to them.

    Arguments and errors are those of ``build_class_texts`` in mode ``'attributes'``.
    """
    described = read_sentences(
        vocabulary,
        mode='attributes',
        descriptions=descriptions,
        num_attributes=num_attributes,
        keep_ratio=keep_ratio,
        attribute_weight=attribute_weight,
    )
    assert described is not None  # as it is in mode 'global' alone
    bank = get_attribute_bank(encoder, all_texts(described), num_attributes, cache_dir)
    prompts = encode(encoder, vocabulary.texts)[: len(vocabulary.classes)]
    return TextReport(
        classes=vocabulary.classes,
        bank=bank,
        weights=hunting_weights(prompts, bank.attributes, keep_ratio),
        prompts=prompts,
        enriched=hunt_attributes(prompts, bank.attributes, keep_ratio, attribute_weight),
    )
