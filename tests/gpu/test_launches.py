"""How many kernels a GPU is asked to run: what an iteration costs the host."""

from __future__ import annotations

from contextlib import nullcontext
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F

from mmseg_excel.densecrf.engines.kernel import Kernel
from mmseg_excel.densecrf.engines.torch_engine import mean_field
from mmseg_excel.models.trained_segmentor import Phase, predicted_affinity
from mmseg_excel.ops.operators import OLDEST_TRITON
from mmseg_excel.ops.resize import resize_by_products

from .fake_device import LaunchCounter, fake_cuda, fused_attention, on_fake_cuda
from .models import batch, build

pytest.importorskip(
    'triton', minversion=OLDEST_TRITON, reason='without Triton there are no kernels to count'
)

SIDE, GRID, TOKENS = 320, (20, 20), 401
DYNAMIC = Phase(dynamic=True)
OF_THE_OPTIMISER = 8  # one kernel for at most 36 parameters each, their step counts, the scaler
BACKWARD = 190


@pytest.fixture
def model():
    return build('ExCEL').train()


@pytest.fixture
def counted():
    return LaunchCounter()


def test_encoder(model, counted):
    with fake_cuda():
        images = torch.empty(4, 3, SIDE, SIDE, device='cuda')
        on_fake_cuda(model)
        with counted:
            reading = model.extract_feat(images)
            model.attention(reading, dynamic=True)
    assert counted.total <= 180, counted.launches


def test_pixel_adaptive_refinement(model, counted):
    with fake_cuda():
        images, scores = (torch.empty(4, n, SIDE, SIDE, device='cuda') for n in (3, 4))
        with counted:
            model.pseudo_labeler.pixel_adaptive(images, scores)
    assert counted.total <= 60, counted.launches


def test_a_step_of_the_dynamic_phase(model, counted):
    """From the loader's bytes to the losses; the backward pass is counted below."""
    model.phase = DYNAMIC
    given = batch(SIDE)
    with fake_cuda():
        given['inputs'] = [torch.empty(3, SIDE, SIDE, dtype=torch.uint8) for _ in given['inputs']]
        on_fake_cuda(model)
        with counted:
            model.parse_losses(model.loss(**model.data_preprocessor(given)))
    assert counted.total <= 700 - BACKWARD - OF_THE_OPTIMISER, counted.launches


def test_its_backward_pass(model, counted):
    """On tensors without a device, whose backward pass needs none: only what is trained has one."""
    model._apply(lambda x: torch.empty(x.shape, dtype=x.dtype, device='meta'))
    features = [torch.empty(4, TOKENS, 128, device='meta')[:, 1:] for _ in model.adapter.layers]
    labels = torch.empty(4, SIDE, SIDE, dtype=torch.int64, device='meta')
    with (
        patch.object(torch, 'autocast', lambda *args, **kwargs: nullcontext()),
        patch.object(F, 'scaled_dot_product_attention', fused_attention),
    ):
        fused = model.adapter(features, GRID)
        relation = model.adapter.relation_logits(fused, over_batch=True)
        full = resize_by_products(model.decode_head(fused), (SIDE, SIDE))
        loss = model.decode_head.loss_decode(full, labels)
        at_patches = labels[:, ::16, ::16]
        loss = loss + model.loss_diversity(predicted_affinity(relation), at_patches)
        with counted:
            loss.backward()
    assert counted.total <= BACKWARD, counted.launches


@pytest.mark.parametrize('count', [1, 4])
def test_densecrf(counted, count):
    """As many for one image as for several of its size; nothing waits."""
    with fake_cuda():
        images = torch.empty(count, 375, 500, 3, dtype=torch.uint8, device='cuda')
        energies = torch.empty(count, 21, 375, 500, device='cuda')
        with counted:
            refined = mean_field(images, energies, [Kernel(1, 3), Kernel(67, 4, 3)], 10)
    assert refined.device.type == 'cuda'
    assert counted.total <= 430, counted.launches
    assert counted.launches['blur'] == 11 * (3 + 6)
