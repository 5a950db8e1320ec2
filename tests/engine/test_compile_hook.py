"""Compiled rooms compute what they computed before."""

from __future__ import annotations

import copy
import shutil
from types import SimpleNamespace

import pytest
import torch
from mmengine.utils import digit_version

from mmseg_excel.engine import CompileHook
from mmseg_excel.engine.compile_hook import OLDEST_TORCH

from ..golden.model import build_golden_model, golden_samples
from ..golden.reference import golden_tensor
from ..tolerance import GRADIENTS, LOSSES, assert_near

pytestmark = [
    pytest.mark.skipif(
        not shutil.which('c++'), reason='torch.compile needs a C++ compiler on a CPU'
    ),
    pytest.mark.skipif(
        digit_version(torch.__version__) < digit_version(OLDEST_TORCH),
        reason=f'CompileHook needs PyTorch {OLDEST_TORCH}',
    ),
]


def test_losses_and_gradients_stay_and_the_checkpoint_too():
    model = build_golden_model()
    eager = _losses_and_gradients(model)
    names = list(model.state_dict())
    CompileHook().before_train(SimpleNamespace(model=model))
    compiled = _losses_and_gradients(model)
    assert list(model.state_dict()) == names
    for name, value in eager.items():
        assert_near(compiled[name], value, LOSSES if name.startswith('loss') else GRADIENTS, name)


def test_refined_scores_stay_whatever_the_number_of_classes():
    model = build_golden_model()
    refine = model.pseudo_labeler.pixel_adaptive
    images = (255 * torch.rand(2, 3, 37, 53)).to(torch.uint8) / 255
    scores = [torch.rand(2, channels, 37, 53) for channels in (2, 4, 3)]
    eager = [refine(images, given) for given in scores]
    CompileHook().before_train(SimpleNamespace(model=model))
    for given, expected in zip(scores, eager, strict=True):
        assert_near(refine(images, given), expected)


def _losses_and_gradients(model) -> dict[str, torch.Tensor]:
    model.zero_grad()
    losses = model.loss(golden_tensor('image')[:1, :, :64, :64], golden_samples()[:1])
    sum(losses.values()).backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    return copy.deepcopy({name: value.detach() for name, value in (losses | gradients).items()})
