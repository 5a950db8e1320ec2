"""Gradient CAMs in closed form equal autograd's, in double precision, on random towers."""

from __future__ import annotations

import pytest
import torch
from open_clip.model import CLIPVisionCfg, _build_vision_tower
from torch import nn

from benchmarks.literal.gradient_cams import gradient_cams as by_autograd
from mmseg_excel.models.gradient_cam import LastBlock, gradient_cams, normalise_twice

SCALE = 30.0


def random_tower(device: torch.device, seed: int, quick_gelu: bool = True) -> nn.Module:
    torch.manual_seed(seed)
    config = CLIPVisionCfg(layers=2, width=48, head_width=16, patch_size=8, image_size=32)
    tower = _build_vision_tower(20, config, quick_gelu).double().eval()
    for parameter in tower.parameters():  # biases and norms too are random
        nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.3)
    return tower.requires_grad_(False).to(device)


def random_case(tower: nn.Module, batch: int = 2, patches: int = 11):
    tokens = torch.randn(batch, patches + 1, 48, dtype=torch.float64)
    texts = nn.functional.normalize(torch.randn(7, 20, dtype=torch.float64), dim=1)
    classes = torch.tensor([[0, 2, 3], [1, 3, 4]])[:batch]
    allowed = torch.ones(batch, 7, dtype=torch.bool)
    allowed[:, :5] = False
    allowed.scatter_(1, classes, True)
    device = tower.proj.device
    return tuple(given.to(device) for given in (tokens, texts, allowed, classes))


@pytest.mark.parametrize('quick_gelu', [True, False])
@pytest.mark.parametrize('seed', range(4))
def test_closed_form_is_autograd(seed, quick_gelu, device):
    tower = random_tower(device, seed, quick_gelu)
    tokens, texts, allowed, classes = random_case(tower)
    ours = gradient_cams(tower, tokens, texts, allowed, classes, SCALE)
    oracle = by_autograd(tower, tokens, texts, allowed, classes, SCALE)
    assert (ours - oracle).abs().max() < 1e-10 * max(1.0, oracle.abs().max().item())


def test_forward_pass_is_the_towers_own(device):
    tower = random_tower(device, 9)
    tokens = random_case(tower)[0]
    expected = tower.transformer.resblocks[-1](tokens)
    assert torch.allclose(LastBlock(tower, tokens).output, expected, atol=1e-12)


def test_images_and_classes_of_a_batch_do_not_meet(device):
    tower = random_tower(device, 5)
    tokens, texts, allowed, classes = random_case(tower)
    together = gradient_cams(tower, tokens, texts, allowed, classes, SCALE)
    alone = gradient_cams(tower, tokens[1:], texts, allowed[1:], classes[1:, 1:2], SCALE)
    assert torch.allclose(alone[0, 0], together[1, 1], atol=1e-12)


def test_other_tags_of_an_image_change_a_map(device):
    tower = random_tower(device, 6)
    tokens, texts, allowed, classes = random_case(tower)
    more = allowed.clone()
    more[:, :5] = True
    few = gradient_cams(tower, tokens, texts, allowed, classes, SCALE)
    many = gradient_cams(tower, tokens, texts, more, classes, SCALE)
    assert not torch.allclose(few, many)


def test_two_passes_of_normalisation_repair_tiny_maps(device):
    tiny = torch.tensor([[0.0, 1e-6, 2e-6], [-1.0, -2.0, -3.0]]).to(device)
    twice = normalise_twice(tiny)
    assert twice[0].tolist() == pytest.approx([0, 0.5, 1], abs=1e-6)
    # 255 times the largest cell rounds down to 254, on which box thresholds depend.
    assert int(255 * twice.max()) == 254
    assert (twice[1] == 0).all()
