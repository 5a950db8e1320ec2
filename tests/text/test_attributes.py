"""Clustering and hunting against the reference's numbers and a literal implementation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmseg_excel.text.attributes import cluster_attributes, hunt_attributes, hunting_weights
from tests.golden.reference import golden_tensor
from tests.tolerance import assert_near

N = 20  # foreground classes


def literal_hunt(class_texts, attributes, keep_ratio, attribute_weight):
    """Class by class, as docs/method.md, section 4 says it."""
    rows = []
    for text in class_texts:
        similarity = torch.stack([text @ attribute for attribute in attributes])
        dropped = int((1 - keep_ratio) * len(attributes))
        kept = similarity.argsort()[dropped:]
        shares = similarity[kept].exp() / similarity[kept].exp().sum()
        enriched = text + attribute_weight * sum(
            share * attributes[index] for share, index in zip(shares, kept, strict=True)
        )
        rows.append(enriched / enriched.norm())
    return torch.stack(rows)


@pytest.mark.parametrize(('keep_ratio', 'name'), [(0.9, 'text_attr'), (1.0, 'text_attr_no_topk')])
def test_hunting_in_the_golden_bank(keep_ratio, name):
    texts, bank = golden_tensor('text_features')[:N], golden_tensor('attr_bank').T
    hunted = hunt_attributes(texts, bank, keep_ratio)
    assert_near(hunted, golden_tensor(name).T[:N])


@pytest.mark.parametrize('keep_ratio', [0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize('attribute_weight', [0.1, 1.0, 2.0])
def test_hunting_is_the_formula(keep_ratio, attribute_weight):
    generator = torch.Generator().manual_seed(0)
    texts = F.normalize(torch.randn(5, 8, generator=generator), dim=1)
    attributes = torch.randn(23, 8, generator=generator)
    assert_near(
        hunt_attributes(texts, attributes, keep_ratio, attribute_weight),
        literal_hunt(texts, attributes, keep_ratio, attribute_weight),
    )


def test_each_class_keeps_its_best_attributes():
    texts, bank = golden_tensor('text_features')[:N], golden_tensor('attr_bank').T
    weights = hunting_weights(texts, bank, keep_ratio=0.5)
    assert ((weights > 0).sum(1) == 8).all()
    assert_near(weights.sum(1), torch.ones(N))
    similarity = texts @ bank.T
    worst_kept = similarity.masked_fill(weights == 0, 2).amin(1)
    best_dropped = similarity.masked_fill(weights > 0, -2).amax(1)
    assert (worst_kept > best_dropped).all()


@pytest.mark.parametrize('num_attributes', range(1, 11))
def test_small_banks_drop_nothing_and_stay_finite(num_attributes):
    texts, bank = golden_tensor('text_features')[:N], golden_tensor('attr_bank').T[:num_attributes]
    hunted = hunt_attributes(texts, bank, keep_ratio=0.9)
    assert torch.equal(hunted, hunt_attributes(texts, bank, keep_ratio=1.0))
    assert hunted.isfinite().all()


def test_no_weight_means_no_attributes():
    texts, bank = golden_tensor('text_features')[:N], golden_tensor('attr_bank').T
    assert_near(hunt_attributes(texts, bank, attribute_weight=0.0), texts)


@pytest.mark.parametrize('keep_ratio', [0, -0.1, 1.01, float('nan')])
def test_a_keep_ratio_out_of_range_is_refused(keep_ratio):
    with pytest.raises(ValueError, match='keep_ratio is .*but must be a number in'):
        hunting_weights(torch.eye(2), torch.eye(2), keep_ratio)


def test_clustering_gives_the_golden_bank():
    embeddings = golden_tensor('desc_embeddings')
    attributes, clusters = cluster_attributes(embeddings, 16)
    assert_near(attributes, golden_tensor('attr_bank').T)
    flags = np.zeros((N, 16), np.uint8)
    flags[golden_tensor('desc_class_index'), clusters] = 1
    assert (flags == golden_tensor('attr_flag').numpy()).all()


def test_centroids_are_the_means_of_their_clusters_and_not_normalised():
    embeddings = golden_tensor('desc_embeddings')
    attributes, clusters = cluster_attributes(embeddings, 16)
    for index, attribute in enumerate(attributes):
        assert_near(attribute, embeddings[clusters == index].mean(0))
    assert attributes.norm(dim=1).min() < 0.99


@pytest.mark.parametrize('num_attributes', [0, 6, 112])
def test_too_few_sentences_are_refused(num_attributes):
    with pytest.raises(ValueError, match=f'5 sentences cannot be .* {num_attributes} attributes'):
        cluster_attributes(torch.eye(5), num_attributes)
