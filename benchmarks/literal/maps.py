"""Patch-text maps through the full (B, N, T, C) tensor (docs/method.md, section 5)."""

from __future__ import annotations

from torch import Tensor


def patch_text_maps(features: Tensor, texts: Tensor, num_classes: int) -> Tensor:
    """Compare every token with every text.

    Args:
        features: (B, N, C), class token first, each channel divided by its norm over the tokens.
        texts: (T, C), the n foreground classes first.
        num_classes: n.

    Returns:
        (B, P, n) maps between 0 and 1; minimum and maximum run over all N tokens.
    """
    scores = class_token_weights(features, texts)
    products = features[:, :, None, :] * texts[None, None] * scores[:, None, :, None]
    products = products - products.mean(dim=2, keepdim=True)
    similarity = products.sum(dim=-1)
    low = similarity.min(dim=1, keepdim=True).values
    high = similarity.max(dim=1, keepdim=True).values
    return ((similarity - low) / (high - low))[:, 1:, :num_classes]


def class_token_weights(features: Tensor, texts: Tensor) -> Tensor:
    """w_t of section 5, (B, T): how much the class token speaks for each text."""
    probabilities = (2 * features[:, 0] @ texts.T).softmax(dim=-1)
    return probabilities / probabilities.mean(dim=-1, keepdim=True)
