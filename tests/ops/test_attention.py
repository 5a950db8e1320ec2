"""Attention in blocks of images and heads is attention."""

from __future__ import annotations

import pytest
import torch

from mmseg_excel.ops import blocking
from mmseg_excel.ops.attention import (
    mix_and_sum_heads,
    mix_heads,
    softmax_attention,
    sum_heads,
)
from tests.tolerance import FEATURES

HEADS, WIDTH = 5, 16


@pytest.fixture(params=[1, 2, 5], ids=lambda heads: f'{heads} heads at once')
def block_size(request, monkeypatch) -> None:
    """Choose a cache in which so many heads of 33 tokens fit."""
    monkeypatch.setattr(blocking, 'CACHE_BYTES', request.param * 4 * 33**2)


def random_heads(device: torch.device, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    """Queries, keys and values as a linear layer leaves them: side by side, (3, H, 33, d) each."""
    qkv = 2 * torch.randn(3, 33, 3 * HEADS * WIDTH).to(device)
    return [
        part.unflatten(-1, (HEADS, WIDTH)).transpose(1, 2) for part in qkv.to(dtype).chunk(3, -1)
    ]


def literal_attention(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Head by head, in double precision: (B, H, N, N)."""
    a, b = a.cpu(), b.cpu()
    attention = torch.zeros(*a.shape[:2], a.shape[2], b.shape[2], dtype=torch.float64)
    for image in range(a.shape[0]):
        for head in range(a.shape[1]):
            scores = a[image, head].double() @ b[image, head].double().T
            attention[image, head] = torch.softmax(scores / a.shape[3] ** 0.5, dim=1)
    return attention


def relative_error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    return float((actual.cpu() - expected.cpu()).norm() / expected.norm())


@pytest.mark.parametrize(('dtype', 'error'), [(torch.float32, FEATURES), (torch.bfloat16, 1e-2)])
def test_values_are_mixed_and_heads_are_summed(block_size, dtype, error, device):
    q, k, v = random_heads(device, dtype)
    attention = literal_attention(q, k)
    mixed, summed = mix_and_sum_heads(q, k, v)
    assert relative_error(mixed, attention @ v.cpu().double()) < error
    assert relative_error(mix_heads(q, k, v), attention @ v.cpu().double()) < error
    assert relative_error(summed, attention.sum(dim=1)) < error
    assert summed.dtype == torch.float32 and mixed.dtype == dtype


@pytest.mark.parametrize(('dtype', 'error'), [(torch.float32, FEATURES), (torch.bfloat16, 1e-2)])
def test_maps_of_several_parts_are_averaged(block_size, dtype, error, device):
    q, k, v = random_heads(device, dtype)
    expected = sum(literal_attention(part, part).sum(dim=1) for part in (q, k, v)) / 3
    side_by_side = torch.cat([q, k, v], dim=1)
    assert relative_error(sum_heads(side_by_side, side_by_side, parts=3), expected) < error


def test_the_heads_of_a_token_lie_side_by_side(block_size, device):
    for dtype in (torch.float32, torch.bfloat16):
        mixed, _ = mix_and_sum_heads(*random_heads(device, dtype))
        assert mixed.transpose(1, 2).is_contiguous()  # the output projection copies nothing


def test_attention_in_half_precision_is_rounded_once(device):
    q, k, _ = random_heads(device, torch.bfloat16)
    full = softmax_attention(q, k)
    rounded = softmax_attention(q, k, torch.bfloat16).float()
    one_rounding = torch.finfo(torch.bfloat16).eps / 2
    assert ((rounded - full).abs() <= 1.001 * one_rounding * full).all()


def test_gradients_flow_in_half_precision_as_in_full(device):
    gradients = []
    for dtype in (torch.float32, torch.bfloat16):
        torch.manual_seed(0)
        leaves = [part.detach().to(dtype).requires_grad_() for part in random_heads(device)]
        mix_heads(*leaves).float().square().sum().backward()
        gradients.append(torch.cat([leaf.grad.float().flatten() for leaf in leaves]))
    exact, rounded = gradients
    assert relative_error(rounded, exact) < 0.02
