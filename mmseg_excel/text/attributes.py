"""Attributes: what the sentences have in common, and what each class takes from them.

docs/method.md, section 4 (text semantic enrichment).
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from threadpoolctl import threadpool_limits
from torch import Tensor

from ..utils.bad_input import BadInput
from ..utils.checks import check_number, shown

#: K-means settings of the method; scikit-learn changed its default of n_init, so it is stated.
RANDOM_STATE = 0
N_INIT = 10


def check_num_attributes(num_attributes: Any, num_sentences: int) -> None:
    """Refuse what is no number of clusters that so many sentences can make."""
    whole = isinstance(num_attributes, Integral) and not isinstance(num_attributes, bool)
    if not (whole and 1 <= int(num_attributes) <= num_sentences):
        raise BadInput(
            f'{num_sentences} sentences cannot be clustered into {shown(num_attributes)} '
            f'attributes: set num_attributes to at least 1 and at most {num_sentences}, or '
            'describe the classes more.'
        )


def check_keep_ratio(keep_ratio: object) -> None:
    """Refuse what is no part of the attributes."""
    check_number('keep_ratio', keep_ratio, '(0, 1]')


def check_attribute_weight(attribute_weight: object) -> None:
    """Refuse what is no weight beside the prompt."""
    check_number('attribute_weight', attribute_weight, '[0, 1000000]')


def cluster_attributes(embeddings: Tensor, num_attributes: int) -> tuple[Tensor, Tensor]:
    """Cluster sentence embeddings into attributes.

    Runs on one thread, so that equal sentences give equal bits.

    Args:
        embeddings: (M, C) L2-normalised embeddings of all sentences of all classes.
        num_attributes: K.

    Returns:
        The (K, C) centroids, not normalised, and the cluster 0..K-1 of each of the M sentences.

    Raises:
        ValueError: If there are fewer sentences than attributes.
    """
    check_num_attributes(num_attributes, len(embeddings))
    from sklearn.cluster import KMeans  # a second to import, and banks are mostly cached

    kmeans = KMeans(n_clusters=num_attributes, random_state=RANDOM_STATE, n_init=N_INIT)
    with threadpool_limits(1):
        kmeans.fit(embeddings.detach().float().cpu().numpy())
    centroids = kmeans.cluster_centers_.astype(np.float32)
    return torch.from_numpy(centroids), torch.from_numpy(kmeans.labels_.astype(np.int64))


def hunting_weights(class_texts: Tensor, attributes: Tensor, keep_ratio: float = 0.9) -> Tensor:
    """How much of each attribute each class takes.

    Args:
        class_texts: (n, C) L2-normalised class embeddings t_c.
        attributes: (K, C) attributes a.
        keep_ratio: K_r, the part of the attributes a class may use, best first, in (0, 1].
            Defaults to 0.9 (ExCEL supplement, Table 1b).

    Returns:
        (n, K) weights; each row sums to 1 and is 0 where an attribute was dropped.

    Raises:
        ValueError: If ``keep_ratio`` is out of range.
    """
    check_keep_ratio(keep_ratio)
    similarity = class_texts @ attributes.T
    num_attributes = len(attributes)
    kept = num_attributes - int((1 - keep_ratio) * num_attributes)
    best = similarity.topk(kept, dim=1).indices
    hunted = torch.full_like(similarity, float('-inf'))
    hunted.scatter_(1, best, similarity.gather(1, best))
    return hunted.softmax(dim=1)


def hunt_attributes(
    class_texts: Tensor,
    attributes: Tensor,
    keep_ratio: float = 0.9,
    attribute_weight: float = 1.0,
) -> Tensor:
    """Enrich every class with the attributes it resembles.

    Args:
        class_texts: (n, C) L2-normalised class embeddings t_c.
        attributes: (K, C) attributes a.
        keep_ratio: K_r, see ``hunting_weights``. Defaults to 0.9.
        attribute_weight: lambda, the attributes' weight beside t_c. Defaults to 1.0
            (ExCEL supplement, Table 1a).

    Returns:
        (n, C) L2-normalised enriched embeddings T_c.

    Raises:
        ValueError: If a setting is out of range.
    """
    check_attribute_weight(attribute_weight)
    weights = hunting_weights(class_texts, attributes, keep_ratio)
    return F.normalize(class_texts + attribute_weight * weights @ attributes, dim=1)
