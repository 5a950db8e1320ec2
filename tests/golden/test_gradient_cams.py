"""Gradient CAMs against the numbers of WeCLIP's and CLIP-ES's references, fp32."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmseg_excel.clip.towers import load_clip
from mmseg_excel.models.gradient_cam import gradient_cams, normalise_twice

from .family import arrays, tensor
from .model import MODEL_NAME, max_error, tiny_clip_file

CLIP_ES_IMAGES = ('voc_img0', 'voc_img1')
NUM_FOREGROUND = 20


@pytest.fixture(scope='module')
def clip():
    return load_clip(MODEL_NAME, tiny_clip_file())


@pytest.fixture(scope='module')
def cams(clip, device):
    """From tokens, texts and classes of an image to its raw maps, (K, P)."""
    tower, scale = clip.vision_tower().to(device), clip.state['logit_scale'].exp().item()

    def of(tokens: Tensor, texts: Tensor, classes: list[int]) -> Tensor:
        allowed = torch.arange(len(texts)) >= NUM_FOREGROUND
        allowed[classes] = True
        given = (tokens, texts, allowed[None], torch.tensor([classes]))
        return gradient_cams(tower, *(tensor.to(device) for tensor in given), scale)[0]

    return of


@pytest.mark.parametrize('image', [0, 1])
def test_weclip(cams, image):
    classes = arrays('weclip')[f'img{image}_classes'].tolist()
    tokens = tensor('weclip', 'cam_tokens')[image : image + 1]
    raw = cams(tokens, tensor('weclip', 'text_features'), classes)
    expected = tensor('weclip', f'img{image}_cam_raw').flatten(1)
    assert max_error(raw, expected) < 1e-4 * expected.abs().max()
    assert (
        max_error(normalise_twice(raw), arrays('weclip')[f'img{image}_cams'].reshape(raw.shape))
        < 1e-4
    )


@pytest.mark.parametrize('image', CLIP_ES_IMAGES)
def test_clip_es(cams, image):
    classes = arrays('clip_es')[f'{image}_tags'].tolist()
    tokens = tensor('clip_es', f'{image}_tokens')[None]
    raw = cams(tokens, tensor('clip_es', 'voc_text_features'), classes)
    expected = tensor('clip_es', f'{image}_cam_raw').flatten(1)
    assert ((raw.cpu() - expected).abs().amax(1) < 3e-5 * expected.abs().amax(1)).all()
    # Maps at 1e-5 (CLIP-ES's method page, section 12).
    assert (
        max_error(normalise_twice(raw), arrays('clip_es')[f'{image}_cam'].reshape(raw.shape)) < 1e-5
    )


def test_clip_es_unit_cases(device):
    raw = tensor('clip_es', 'unit_raw').flatten(1).to(device)
    assert max_error(normalise_twice(raw), tensor('clip_es', 'unit_cam').flatten(1)) < 1e-6
