"""Pseudo labels as files: those of the model, resumable, shared among processes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmseg.registry import DATASETS, MODELS
from PIL import Image

from mmseg_excel.datasets.masks import read_mask
from mmseg_excel.datasets.tag_tables import write_tag_table
from mmseg_excel.densecrf import DenseCRF
from mmseg_excel.densecrf.device_refiner import refiner_of
from mmseg_excel.export import pseudo_labels
from mmseg_excel.export.pseudo_labels import export_pseudo_labels
from mmseg_excel.utils.images import read_rgb
from mmseg_excel.utils.records import record_path

from ..datasets.tools import run_tool
from ..tolerance import FEATURES, assert_same_labels

ROOT = Path(__file__).parents[2]
TAGS = {'one': ['boat', 'fish'], 'two': ['cat'], 'three': []}


@pytest.fixture(scope='module')
def config() -> Config:
    config = Config.fromfile(ROOT / 'configs/excel_toy.py')
    config.model.text_head.update(mode='global', descriptions=None)
    return config


@pytest.fixture(scope='module')
def model(config):
    torch.manual_seed(0)
    model = MODELS.build(config.model).eval()
    model.init_weights()
    return model


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three images and a table of their tags."""
    (tmp_path / 'JPEGImages').mkdir()
    rng = np.random.default_rng(0)
    for name, size in zip(TAGS, ((90, 60), (40, 70), (50, 50)), strict=True):
        pixels = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
        image = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
        image.save(tmp_path / f'JPEGImages/{name}.jpg')
    (tmp_path / 'train.txt').write_text('\n'.join(TAGS))
    write_tag_table(tmp_path / 'tags.json', TAGS)
    return tmp_path


@pytest.fixture
def settings(config, root) -> dict:
    """Config of the data set."""
    return dict(
        type='ToyDataset',
        data_root=str(root),
        ann_file='train.txt',
        tag_source=dict(type='TableTags', file='tags.json'),
        pipeline=config.test_pipeline,
    )


@pytest.fixture
def dataset(settings):
    return DATASETS.build(settings)


def expected_scores(model, dataset, index: int, dynamic: bool = False) -> torch.Tensor:
    """Scores (n+1, H, W) of one image, summing to one."""
    data = model.data_preprocessor(pseudo_collate([dataset[index]]))
    labels = model.pseudo_labels(data['inputs'], data['data_samples'], dynamic)
    dense = labels.dense_scores(model.num_classes)
    shape = data['data_samples'][0].ori_shape
    scores = F.interpolate(dense, shape, mode='bilinear', align_corners=False)[0]
    return scores / scores.sum(dim=0)


def labels_in(folder: Path) -> dict[str, np.ndarray]:
    return {name: read_mask(folder / f'{name}.png', 11) for name in TAGS}


@pytest.mark.parametrize('dynamic', [False, True])
def test_labels_are_the_models(model, dataset, tmp_path, dynamic):
    written = export_pseudo_labels(model, dataset, tmp_path / 'out', dynamic=dynamic, num_workers=0)
    assert written == 3
    for index, label in enumerate(labels_in(tmp_path / 'out').values()):
        scores = expected_scores(model, dataset, index, dynamic)
        # The same code, in batches of another size: rounding alone.
        assert_same_labels(label, scores.argmax(dim=0), scores, bound=1e-5)
    assert set(np.unique(labels_in(tmp_path / 'out')['two'])) <= {0, 9}
    assert not labels_in(tmp_path / 'out')['three'].any()


def test_confidence_is_the_lead_and_the_band_ignores_small_leads(model, dataset, tmp_path):
    out = tmp_path / 'out'
    leads = tmp_path / 'leads'
    export_pseudo_labels(model, dataset, out, ignore_band=0.3, confidence_dir=leads, num_workers=0)
    for index, (name, label) in enumerate(labels_in(out).items()):
        best, second = expected_scores(model, dataset, index).topk(2, dim=0).values
        lead = best - second
        with Image.open(leads / f'{name}.png') as image:
            assert np.abs(np.array(image) - 255 * lead.numpy()).max() <= 0.51
        clear = (lead - 0.3).abs().numpy() > 2 * FEATURES
        assert np.array_equal((label == 255)[clear], lead.numpy()[clear] < 0.3)
    assert (labels_in(out)['one'] == 255).any() and (labels_in(out)['one'] != 255).any()


def test_crf_sharpens_over_the_tagged_classes(model, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(pseudo_labels, 'refiner_of', partial(refiner_of, workers=1))
    crf = DenseCRF(min_probability=0.0)
    export_pseudo_labels(model, dataset, tmp_path / 'out', crf=crf, num_workers=0)
    scores = expected_scores(model, dataset, 0)
    channels = [0, 1, 5]  # background, boat, fish
    image = read_rgb(dataset.get_data_info(0)['img_path'])
    refined = crf(image, scores[channels].numpy()).argmax(axis=0)
    difference = np.array(channels)[refined] != labels_in(tmp_path / 'out')['one']
    assert difference.mean() < 0.002


def test_a_stopped_run_continues_and_other_settings_are_refused(model, dataset, tmp_path):
    out = tmp_path / 'out'
    export_pseudo_labels(model, dataset, out, num_workers=0)
    complete = {path: path.read_bytes() for path in out.iterdir()}
    (out / 'two.png').unlink()
    assert export_pseudo_labels(model, dataset, out, num_workers=0) == 1
    assert {path: path.read_bytes() for path in out.iterdir()} == complete
    for other in (dict(dynamic=True), dict(ignore_band=0.1), dict(crf=DenseCRF())):
        with pytest.raises(ValueError, match='made in another way'):
            export_pseudo_labels(model, dataset, out, num_workers=0, **other)
    record_path(out).unlink()
    with pytest.raises(ValueError, match='unknown origin'):
        export_pseudo_labels(model, dataset, out, num_workers=0)


def test_processes_share_the_images(model, config, settings, dataset, root):
    export_pseudo_labels(model, dataset, root / 'alone', num_workers=0)
    config.train_dataloader.dataset = settings | dict(data_prefix=dict(img_path='JPEGImages'))
    config.dump(root / 'config.py')
    launch = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']
    tool = [ROOT / 'tools/make_pseudo_labels.py', root / 'config.py', '--out', root / 'shared']
    command = [*launch, *tool, '--launcher', 'pytorch']
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    assert sorted(re.findall(r'(\d) new labels', run.stdout)) == ['1', '2']
    alone, shared = labels_in(root / 'alone'), labels_in(root / 'shared')
    for index, name in enumerate(TAGS):
        assert_same_labels(shared[name], alone[name], expected_scores(model, dataset, index))


def test_the_tool_reads_no_mask_and_names_broken_images(config, settings, root, capsys):
    config.train_dataloader.dataset = settings | dict(
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass')
    )
    config.dump(root / 'config.py')
    command = ('make_pseudo_labels', root / 'config.py', '--out', root / 'labels')
    assert run_tool(*command, '--confidence', root / 'leads') == 0
    assert '3 new labels' in capsys.readouterr().out
    record = json.loads((root / 'labels.made_with.json').read_text())
    assert record['model']['rooms']['FrozenCLIP']['model'] == 'excel-toy'
    assert record['model']['weights'] is None and record['dynamic'] is False
    assert (root / 'leads/three.png').exists()
    with Image.open(root / 'labels/one.png') as image:
        assert image.mode == 'P' and image.getpalette()[3:6] == [30, 90, 200]
    (root / 'JPEGImages/two.jpg').unlink()
    (root / 'labels/two.png').unlink()
    assert run_tool(*command) == 2
    assert 'images missing (1)' in capsys.readouterr().err
