"""Gradient CAMs against the numbers of WeCLIP's and CLIP-ES's references, fp32 on a CPU."""

from __future__ import annotations

import pytest
import torch

from mmseg_excel.clip.towers import load_clip
from mmseg_excel.models.gradient_cam import gradient_cams, normalise_twice

from .family import arrays, tensor
from .model import MODEL_NAME, max_error, tiny_clip_file

CLIP_ES_IMAGES = ('voc_img0', 'voc_img1')


@pytest.fixture(scope='module')
def clip():
    return load_clip(MODEL_NAME, tiny_clip_file())


def cams(clip, tokens, texts, classes: list[int], num_foreground: int):
    """Raw maps of one image, (K, P)."""
    allowed = torch.arange(len(texts)) >= num_foreground
    allowed[classes] = True
    scale = clip.state['logit_scale'].exp().item()
    chosen = torch.tensor([classes])
    return gradient_cams(clip.vision_tower(), tokens, texts, allowed[None], chosen, scale)[0]


@pytest.mark.parametrize('image', [0, 1])
def test_weclip(clip, image):
    classes = arrays('weclip')[f'img{image}_classes'].tolist()
    tokens = tensor('weclip', 'cam_tokens')[image : image + 1]
    raw = cams(clip, tokens, tensor('weclip', 'text_features'), classes, 20)
    expected = tensor('weclip', f'img{image}_cam_raw').flatten(1)
    assert max_error(raw, expected) < 1e-4 * expected.abs().max()
    assert (
        max_error(normalise_twice(raw), arrays('weclip')[f'img{image}_cams'].reshape(raw.shape))
        < 1e-4
    )


@pytest.mark.parametrize('image', CLIP_ES_IMAGES)
def test_clip_es(clip, image):
    classes = arrays('clip_es')[f'{image}_tags'].tolist()
    tokens = tensor('clip_es', f'{image}_tokens')[None]
    raw = cams(clip, tokens, tensor('clip_es', 'voc_text_features'), classes, 20)
    expected = tensor('clip_es', f'{image}_cam_raw').flatten(1)
    assert ((raw - expected).abs().amax(1) < 3e-5 * expected.abs().amax(1)).all()
    # Maps at 1e-5 (CLIP-ES's method page, section 12).
    assert (
        max_error(normalise_twice(raw), arrays('clip_es')[f'{image}_cam'].reshape(raw.shape)) < 1e-5
    )


def test_clip_es_unit_cases():
    raw = tensor('clip_es', 'unit_raw').flatten(1)
    assert max_error(normalise_twice(raw), tensor('clip_es', 'unit_cam').flatten(1)) < 1e-6
