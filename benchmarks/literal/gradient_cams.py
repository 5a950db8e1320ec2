"""Gradient CAMs by autograd, a class at a time (WeCLIP's method page, section 5)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def gradient_cams(
    tower: nn.Module,
    tokens: Tensor,
    texts: Tensor,
    allowed: Tensor,
    classes: Tensor,
    scale: float,
) -> Tensor:
    """Maps (B, K, P) before their normalisation; arguments are those of the closed form."""
    maps = [
        torch.stack(
            [class_map(tower, x[None], texts[own], scale, _place(own, c)) for c in image_classes]
        )
        for x, own, image_classes in zip(tokens, allowed, classes.tolist(), strict=True)
    ]
    return torch.stack(maps)


def class_map(tower: nn.Module, tokens: Tensor, texts: Tensor, scale: float, index: int) -> Tensor:
    """The map of one of an image's own texts, (P,): a forward and a backward pass."""
    block = tower.transformer.resblocks[-1]
    h = block.ln_1(tokens).requires_grad_()
    probabilities = _probabilities(tower, tokens, h, texts, scale)
    (gradient,) = torch.autograd.grad(probabilities[index], h)
    return h.detach()[0, 1:] @ gradient[0, 1:].mean(dim=0)


def _probabilities(
    tower: nn.Module, tokens: Tensor, h: Tensor, texts: Tensor, scale: float
) -> Tensor:
    block = tower.transformer.resblocks[-1]
    attended = tokens + block.attn(h, h, h, need_weights=False)[0]
    output = attended + block.mlp(block.ln_2(attended))
    embedding = tower.ln_post(output)[0, 1:].mean(dim=0) @ tower.proj
    return (scale * (embedding / embedding.norm()) @ texts.T).softmax(dim=-1)


def _place(own: Tensor, index: int) -> int:
    """Where a text stands among an image's own."""
    return int(own[:index].sum())
