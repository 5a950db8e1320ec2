"""The toy world must tell good maps from bad ones, or it could not show that ExCEL works."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

import mmseg_excel  # noqa: F401
from mmseg_excel.datasets.toy.scenes import generate_scene
from mmseg_excel.text.vocabulary import TOY_CLASSES

MEAN = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
STD = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)
ROOT = Path(__file__).parents[3]
SIZE = 64


@pytest.fixture(scope='module')
def scenes():
    return [generate_scene(np.random.default_rng((78, number)), SIZE) for number in range(48)]


def map_miou(scenes, neck, mode='global'):
    """Mean IoU of raw maps: argmax of background, 1 - the best map, and the tagged classes."""
    init_default_scope('mmseg')
    cfg = Config.fromfile(ROOT / 'configs/excel_toy.py').model
    cfg.neck.update(neck)
    cfg.text_head.update(mode=mode)
    model = MODELS.build(cfg)
    model.encode_classes()
    images = torch.from_numpy(np.stack([scene.image for scene in scenes])).permute(0, 3, 1, 2)
    maps = model.eval().class_activation_maps((images - MEAN) / STD)
    maps = F.interpolate(maps, (SIZE, SIZE), mode='bilinear', align_corners=False)
    tagged = torch.tensor([[name in scene.tags for name in TOY_CLASSES] for scene in scenes])
    maps = maps.masked_fill(~tagged[:, :, None, None], -1)
    labels = torch.cat([1 - maps.amax(1, keepdim=True), maps], 1).argmax(1).numpy()
    truth = np.stack([scene.mask for scene in scenes])
    values = range(len(TOY_CLASSES) + 1)
    return 100 * np.mean(
        [
            np.sum((labels == v) & (truth == v)) / np.sum((labels == v) | (truth == v))
            for v in values
        ]
    )


def test_maps_improve_with_calibration_its_depth_and_attributes(scenes, monkeypatch, tmp_path):
    monkeypatch.setenv('MMSEG_EXCEL_CACHE', str(tmp_path))
    plain = map_miou(scenes, dict(mode='q-k', num_layers=5))
    maskclip = map_miou(scenes, dict(mode='v-v', num_layers=1))
    three = map_miou(scenes, dict(mode='qkv', num_layers=3))
    five = map_miou(scenes, dict(mode='qkv', num_layers=5))
    attributes = map_miou(scenes, dict(mode='qkv', num_layers=5), 'attributes')
    assert plain + 10 < five
    assert maskclip + 5 < three
    assert three + 3 < five
    assert five + 0.5 < attributes
