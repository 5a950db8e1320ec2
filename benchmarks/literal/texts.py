"""Class texts enriched with attributes, one class after another (docs/method.md, section 4)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans
from torch import Tensor


def cluster_attributes(sentences: Tensor, num_attributes: int) -> Tensor:
    """Return the K-means centroids (K, C) of sentence embeddings, not normalised again."""
    kmeans = KMeans(n_clusters=num_attributes, random_state=0, n_init=10)
    return torch.from_numpy(kmeans.fit(sentences.numpy()).cluster_centers_).float()


def enrich_texts(
    texts: Tensor,
    attributes: Tensor,
    num_classes: int,
    *,
    keep_ratio: float = 0.9,
    attribute_weight: float = 1.0,
) -> Tensor:
    """Hunt attributes for each foreground class.

    Args:
        texts: (T, C) L2-normalised prompts, the n foreground classes first.
        attributes: (K, C) attribute bank.
        num_classes: n.
        keep_ratio: K_r, the share of attributes kept; 1 keeps all of them.
        attribute_weight: lambda.

    Returns:
        (T, C) L2-normalised texts; background texts keep their direction.
    """
    enriched = texts.clone()
    for index in range(num_classes):
        hunted = hunt_attributes(texts[index], attributes, keep_ratio)
        enriched[index] = texts[index] + attribute_weight * hunted
    return F.normalize(enriched, dim=1)


def hunt_attributes(text: Tensor, attributes: Tensor, keep_ratio: float) -> Tensor:
    """Return the softmax-weighted sum (C,) of the attributes nearest to one class."""
    similarity = attributes @ text
    num_kept = len(attributes) - int((1 - keep_ratio) * len(attributes))
    kept = similarity.argsort(descending=True)[:num_kept]
    weights = similarity[kept].softmax(dim=0)
    return (weights[:, None] * attributes[kept]).sum(dim=0)
