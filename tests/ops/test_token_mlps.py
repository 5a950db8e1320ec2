"""Batched or one by one, MLPs are MLPs."""

from __future__ import annotations

import torch
from torch import nn

from mmseg_excel.ops import token_mlps as module

from ..tolerance import FEATURES, assert_near


def test_batched_products_equal_single_ones(monkeypatch, device):
    mlps = nn.ModuleList(
        nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4)) for _ in range(3)
    ).to(device)
    tokens = [torch.randn(2, 7, 6).to(device) for _ in mlps]
    results = []
    for batched in (False, True):
        monkeypatch.setattr(module, 'are_batched', lambda _, batched=batched: batched)
        mlps.zero_grad()
        adapted = module.token_mlps(tokens, mlps)
        adapted.square().sum().backward()
        results.append((adapted.detach(), [p.grad.clone() for p in mlps.parameters()]))
    (plain, gradients), (batched, others) = results
    assert plain.shape == (2, 12, 7)
    assert_near(batched, plain, FEATURES)
    for ours, theirs in zip(others, gradients, strict=True):
        assert_near(ours, theirs, FEATURES)
