"""One training step, start to end (docs/method.md, sections 2 to 8)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from .clip import State, encode_image
from .decoder import AdapterAndDecoder, dynamic_relation, predict_affinity
from .images import denormalise
from .losses import diversity_loss, pair_labels, segmentation_loss
from .maps import patch_text_maps
from .pseudo_labels import pseudo_labels


def training_losses(
    model: AdapterAndDecoder,
    clip: State,
    texts: Tensor,
    images: Tensor,
    tags: Tensor,
    *,
    dynamic: bool = False,
    pairs_from_prediction: bool = False,
    box_threshold: float = 0.79,
    diversity_weight: float = 0.1,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return segmentation loss, diversity loss and their weighted sum.

    Args:
        model: Adapter and decoder.
        clip: CLIP weights under OpenAI's names.
        texts: (T, C) class texts, the n foreground classes first.
        images: (B, 3, S, S) normalised images.
        tags: (B, n) multi-hot image tags.
        dynamic: Whether the relation of the adapter's features calibrates maps and affinity.
        pairs_from_prediction: Whether pair labels come from the prediction's argmax.
        box_threshold: tau.
        diversity_weight: gamma.
    """
    encoding = encode_image(clip, images)
    fused, logits = model(encoding.outputs)
    attn_pred = predict_affinity(fused)
    features = dynamic_features(clip, images, fused) if dynamic else encoding.features
    labels = pseudo_labels(
        patch_text_maps(features, texts, tags.shape[1]),
        encoding.attention,
        tags,
        denormalise(images),
        attn_pred=attn_pred if dynamic else None,
        box_threshold=box_threshold,
    )
    pair_source = predicted_labels(logits, labels) if pairs_from_prediction else labels
    segmentation = segmentation_loss(logits, labels)
    diversity = diversity_loss(attn_pred, pair_labels(pair_source, side=fused.shape[-1]))
    return segmentation, diversity, segmentation + diversity_weight * diversity


def dynamic_features(clip: State, images: Tensor, fused: Tensor) -> Tensor:
    """F of a second full pass, calibrated by the adapter's relation."""
    return encode_image(clip, images, relation=dynamic_relation(fused)).features


def predicted_labels(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the argmax of the logits at the labels' size."""
    size = labels.shape[-2:]
    return F.interpolate(logits, size, mode='bilinear', align_corners=False).argmax(dim=1)
