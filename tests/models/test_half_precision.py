"""Autocast rounds; it does not decide what an image shows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.half_precision import agreement, build_toy_model, random_batches, toy_batches


@pytest.fixture(scope='module')
def toy_model():
    torch.manual_seed(0)
    return build_toy_model(checkpoint=None, device='cpu')


# On a CPU fp16 is slow, hence fewer scenes.
@pytest.mark.parametrize(('dtype', 'scenes'), [(torch.bfloat16, 48), (torch.float16, 16)])
def test_labels_of_toy_scenes_stay_as_they_are(toy_model, dtype, scenes):
    shares = agreement(toy_model, toy_batches(scenes, 'cpu'), dtype)
    assert np.mean(shares['predictions']) >= 0.995
    # A cell of a map at the threshold may split a box and with it change most of one image.
    kept = np.greater_equal(shares['static pseudo labels'], 0.995)
    assert np.mean(kept) >= 0.9


def test_fp16_keeps_labels_of_random_scenes_too(toy_model):
    torch.manual_seed(0)
    batches = random_batches(1, toy_model.num_classes - 1, 'cpu')
    for kind, shares in agreement(toy_model, batches, torch.float16).items():
        assert np.mean(shares) >= 0.995, kind


def test_decoder_rounds_inside_its_layers_only(toy_model):
    fused = torch.randn(2, 256, 9, 7)
    with torch.no_grad():
        exact = toy_model.decode_head(fused)
        with torch.autocast('cpu', torch.bfloat16):
            rounded = toy_model.decode_head(fused)
    spread = (exact - exact.mean(dim=(2, 3), keepdim=True)).norm()
    assert rounded.dtype == torch.float32
    assert (rounded - exact).norm() < 0.0025 * spread
