"""The golden CLIP behind an inferencer, and pictures to ask."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmseg_excel.inference.inferencer import TagInferencer
from tests.golden.model import build_golden_model, golden_config


@pytest.fixture(scope='session', autouse=True)
def cache_dir(tmp_path_factory):
    """Attribute banks made by tests stay out of the user's cache."""
    before = os.environ.get('MMSEG_EXCEL_CACHE')
    os.environ['MMSEG_EXCEL_CACHE'] = str(tmp_path_factory.mktemp('cache'))
    yield
    if before is None:
        del os.environ['MMSEG_EXCEL_CACHE']
    else:
        os.environ['MMSEG_EXCEL_CACHE'] = before


@pytest.fixture(scope='session')
def golden_cfg() -> Config:
    model = golden_config(text_head__descriptions='voc', text_head__num_attributes=8)
    model['data_preprocessor']['size'] = (160, 160)
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(160, 160), keep_ratio=False),
        dict(type='LoadAnnotations'),
        dict(type='LoadImageTags'),
        dict(type='PackTaggedInputs'),
    ]
    dataset = dict(type='VOCTagsDataset', pipeline=pipeline)
    return Config(dict(model=model, test_dataloader=dict(dataset=dataset)))


@pytest.fixture(scope='session')
def checkpoint(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp('checkpoint') / 'golden.pth'
    torch.save(dict(state_dict=build_golden_model().state_dict()), path)
    return path


@pytest.fixture(scope='session')
def inferencer(golden_cfg, checkpoint) -> TagInferencer:
    return TagInferencer(golden_cfg, checkpoint, device='cpu')


@pytest.fixture(scope='session')
def picture() -> np.ndarray:
    """A BGR picture, 120 x 90, of a red disc on a gradient."""
    ramp = np.linspace(40, 200, 120, dtype=np.uint8)
    image = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (90, 120, 3)))
    cv2.circle(image, (45, 40), 22, (30, 30, 220), -1)
    return image


@pytest.fixture(scope='session')
def picture_file(picture, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp('pictures') / 'disc.png'
    cv2.imwrite(str(path), picture)
    return path
