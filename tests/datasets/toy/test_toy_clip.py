from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open

from mmseg_excel.clip.towers import load_clip
from mmseg_excel.datasets.toy.captions import TEMPLATE
from mmseg_excel.datasets.toy.scenes import generate_scene
from mmseg_excel.text.vocabulary import TOY_CLASSES

WEIGHTS = Path(__file__).parents[3] / 'mmseg_excel/assets/excel-toy.safetensors'
MEAN = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
STD = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)


@pytest.fixture(scope='module')
def clip():
    return load_clip('excel-toy', 'packaged')


def test_weights_are_small_half_precision_and_say_how_they_were_made():
    assert WEIGHTS.stat().st_size < 12_000_000
    with safe_open(WEIGHTS, 'pt') as file:
        metadata = file.metadata()
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}
    assert metadata['command'].startswith('python tools/train_toy_clip.py')
    assert f'--seed {metadata["seed"]}' in metadata['command']


def test_weights_fit_the_packaged_open_clip_config(clip):
    model = open_clip.create_model('excel-toy')
    assert set(clip.state) == set(model.state_dict())
    model.load_state_dict(clip.state)


def test_tags_of_unseen_scenes_are_recognised(clip):
    scenes = [generate_scene(np.random.default_rng((77, number)), 64) for number in range(200)]
    images = torch.from_numpy(np.stack([scene.image for scene in scenes])).permute(0, 3, 1, 2)
    with torch.no_grad():
        features = clip.vision_tower()((images - MEAN) / STD)
    texts = clip.text_encoder()([TEMPLATE.format(name) for name in TOY_CLASSES])
    best = (F.normalize(features, dim=1) @ texts.T).argmax(1)
    right = [TOY_CLASSES[i] in scene.tags for i, scene in zip(best, scenes, strict=True)]
    assert np.mean(right) > 0.9  # chance: 0.18
