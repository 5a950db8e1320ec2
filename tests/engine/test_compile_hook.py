"""Compiled rooms compute what they computed before."""

from __future__ import annotations

import copy
import shutil
from types import SimpleNamespace

import pytest
import torch

from mmseg_excel.engine import CompileHook

from ..golden.model import build_golden_model, golden_samples
from ..golden.reference import golden_tensor


@pytest.mark.skipif(not shutil.which('c++'), reason='torch.compile needs a C++ compiler on a CPU')
def test_losses_and_gradients_stay_and_the_checkpoint_too():
    model = build_golden_model()
    eager = _losses_and_gradients(model)
    names = list(model.state_dict())
    CompileHook().before_train(SimpleNamespace(model=model))
    compiled = _losses_and_gradients(model)
    assert list(model.state_dict()) == names
    for name, value in eager.items():
        scale = value.abs().max().clamp(min=1e-8)
        assert (compiled[name] - value).abs().max() < 1e-4 * scale, name


def _losses_and_gradients(model) -> dict[str, torch.Tensor]:
    model.zero_grad()
    losses = model.loss(golden_tensor('image')[:1, :, :64, :64], golden_samples()[:1])
    sum(losses.values()).backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    return copy.deepcopy({name: value.detach() for name, value in (losses | gradients).items()})
