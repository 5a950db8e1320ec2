"""Resizing by matrix products against PyTorch's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmseg_excel.ops.resize import resize_by_products
from tests.tolerance import assert_near


@pytest.mark.parametrize(
    ('old', 'new'), [((20, 20), (320, 320)), ((5, 7), (33, 9)), ((4, 4), (4, 4))]
)
def test_values_and_gradients_equal_interpolate(old, new, device):
    torch.manual_seed(0)
    ours = torch.randn(2, 3, *old).to(device).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    weight = torch.randn(2, 3, *new).to(device)
    a = resize_by_products(ours, new)
    b = F.interpolate(theirs, new, mode='bilinear', align_corners=False)
    assert_near(a, b)
    (a * weight).sum().backward()
    (b * weight).sum().backward()
    assert_near(ours.grad, theirs.grad)


def test_autocast_does_not_round(device):
    x = torch.randn(1, 2, 6, 6).to(device)
    with torch.autocast(device.type, torch.bfloat16):
        rounded = resize_by_products(x, (24, 24))
    assert torch.equal(rounded, resize_by_products(x, (24, 24)))
