"""Sliding windows: `test_cfg.mode='slide'` of every method."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS

from mmseg_excel.datasets.toy.scenes import generate_scene
from mmseg_excel.inference.inferencer import TagInferencer
from mmseg_excel.inference.tta import LogitTTAModel
from mmseg_excel.ops.windows import Windows
from mmseg_excel.utils.bad_input import BadInput
from tests.segmentors.base import sample_of
from tests.tolerance import assert_near

CONFIGS = Path(__file__).parents[2] / 'configs'
CROP, STRIDE = (64, 64), (40, 40)
SIZE = (75, 131)  # neither whole patches nor whole windows


@pytest.fixture(scope='module', params=['excel', 'weclip', 'clip_es'])
def model(request, device):
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(CONFIGS / f'{request.param}_toy.py').model).eval()
    model.init_weights()
    return model.to(device)


@pytest.fixture(scope='module')
def trained(device):
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(CONFIGS / 'excel_toy.py').model).eval()
    model.init_weights()
    return model.to(device)


def slides(model, source, crop_size=CROP, stride=STRIDE):
    model.test_cfg = dict(source=source, mode='slide', crop_size=crop_size, stride=stride)


def whole(model, source):
    model.test_cfg = dict(source=source)


def images_of(model, size=None):
    size = size or ((72, 128) if model.NAME == 'CLIP-ES' else SIZE)
    scenes = [generate_scene(np.random.default_rng(seed), 160) for seed in (0, 1)]
    pixels = np.stack([scene.image[: size[0], : size[1]] for scene in scenes])
    bgr = torch.from_numpy(pixels[..., ::-1].copy()).permute(0, 3, 1, 2)
    images = model.data_preprocessor(dict(inputs=list(bgr)))['inputs']
    classes = model.text_head.vocabulary.classes
    return images[..., : size[0], : size[1]], [sample_of(classes, s.tags, size) for s in scenes]


def predicted(model, images, samples):
    with torch.no_grad():
        return torch.cat([s.pred_sem_seg.data for s in model.predict(images, samples)])


def test_one_window_is_the_whole(model):
    images, samples = images_of(model)
    for source in model.SOURCES:
        whole(model, source)
        expected = predicted(model, images, samples)
        slides(model, source, crop_size=(80, 200))
        assert torch.equal(predicted(model, images, samples), expected)


@torch.no_grad()
def test_training_free_scores_are_averaged(model):
    images, samples = images_of(model)
    slides(model, 'cam')
    ours = model.pseudo_labels(images, samples)
    whole(model, 'cam')

    def scores(windows):
        pseudo = model.pseudo_labels(windows, samples[:1] * len(windows))
        return model.scores_in(pseudo, windows.shape[2:])

    expected = Windows(CROP, STRIDE).average(scores, images[:1])
    assert_near(ours.scores[:1, : expected.shape[1]], expected)
    assert not ours.scores[:1, expected.shape[1] :].any()


@torch.no_grad()
def test_logits_are_averaged(trained):
    images, samples = images_of(trained)
    slides(trained, 'decoder')
    logits = trained.encode_decode(images)
    assert_near(logits, Windows(CROP, STRIDE).average(trained.whole_logits, images))
    results = trained.predict(images, samples)
    assert_near(torch.stack([sample.seg_logits.data for sample in results]), logits)


@torch.no_grad()
def test_windows_pass_clip_together(trained, monkeypatch):
    batches, forward = [], trained.backbone.forward

    def counted(images, *args, **kwargs):
        batches.append(len(images))
        return forward(images, *args, **kwargs)

    monkeypatch.setattr(
        trained.backbone,
        'forward',
        lambda x, *a, **k: batches.append(len(x)) or forward(x, *a, **k),
    )
    images, samples = images_of(trained)
    slides(trained, 'decoder')
    trained.predict(images, samples)
    assert batches == [2 * 2 * 3]


@torch.no_grad()
def test_views_of_the_images_own_size(trained):
    images, [sample, _] = images_of(trained)
    slides(trained, 'decoder')
    tta = LogitTTAModel(trained, size=None, scales=(1.0, 0.5), flip=True)
    raw = (images[0] * trained.data_preprocessor.std + trained.data_preprocessor.mean).flip(0)
    trained.data_preprocessor.size, size = None, trained.data_preprocessor.size
    [result] = tta.test_step(dict(inputs=[raw], data_samples=[sample]))
    trained.data_preprocessor.size = size
    views = []
    for height, width in (SIZE, (38, 66)):
        view = torch.nn.functional.interpolate(images[:1], (height, width), mode='bilinear')
        for picture, back in ((view, False), (view.flip(-1), True)):
            logits = trained.encode_decode(picture)
            logits = logits.flip(-1) if back else logits
            views.append(torch.nn.functional.interpolate(logits, SIZE, mode='bilinear')[0])
    assert_near(result.seg_logits.data, torch.stack(views).mean(dim=0))


def test_the_inferencer_takes_images_whole():
    cfg = Config.fromfile(CONFIGS / 'excel_toy.py')
    cfg.model.test_cfg.update(mode='slide', crop_size=CROP, stride=STRIDE)
    with pytest.raises(BadInput, match='takes images whole'):
        TagInferencer(cfg, device='cpu')
