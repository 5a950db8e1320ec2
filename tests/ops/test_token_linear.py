"""The linear layer on tokens is a linear layer."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmseg_excel.ops.token_linear import token_linear
from tests.tolerance import assert_near


@pytest.mark.parametrize('shape', [(4, 65, 24), (1, 1, 24), (3, 7, 24)])
@pytest.mark.parametrize('bias', [True, False])
def test_it_multiplies_and_adds(shape, bias, device):
    double = dict(dtype=torch.float64, device=device)
    x, weight = torch.randn(shape, **double), torch.randn(10, 24, **double)
    b = torch.randn(10, **double) if bias else None
    expected = F.linear(x, weight, b)
    assert_near(token_linear(x, weight, b), expected)
    assert_near(token_linear(*(None if t is None else t.float() for t in (x, weight, b))), expected)


def test_it_takes_parts_of_tensors(device):
    qkv, weight = torch.randn(2, 9, 36).to(device), torch.randn(12, 12).to(device)
    values = qkv.chunk(3, dim=-1)[2][:, 1:]
    expected = F.linear(values, weight)
    assert_near(token_linear(values, weight), expected)


def test_the_answer_lies_as_the_question_did(device):
    answer = token_linear(torch.randn(2, 9, 12).to(device), torch.randn(5, 12).to(device))
    assert answer.is_contiguous()


def test_autocast_rounds_it_as_it_rounds_a_linear_layer(device):
    x, weight = torch.randn(2, 9, 12).to(device), torch.randn(5, 12).to(device)
    with torch.autocast(device.type, torch.bfloat16):
        answer, expected = token_linear(x, weight), F.linear(x, weight)
    assert answer.dtype == torch.bfloat16
    one_rounding = torch.finfo(torch.bfloat16).eps / 2
    sums = F.linear(x.abs(), weight.abs())
    assert ((answer.float() - expected.float()).abs() <= 4 * one_rounding * sums).all()
