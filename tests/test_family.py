"""The methods beside ExCEL, with the same commands on the same data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from PIL import Image

from mmseg_excel.datasets.toy.voc_layout import write_voc_layout
from mmseg_excel.models import CLIPES
from mmseg_excel.utils.bad_input import BadInput

from .datasets.tools import run_tool

CONFIGS = Path(__file__).parents[1] / 'configs'


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    return write_voc_layout(tmp_path_factory.mktemp('toy'), num_train=6, num_val=3)


def options(root: Path) -> list[str]:
    """Settings for the small world, read in this process."""
    loaders = [
        f'{split}_dataloader.{setting}'
        for split in ('train', 'val', 'test')
        for setting in (
            f'dataset.data_root={root}',
            'num_workers=0',
            'persistent_workers=False',
        )
    ]
    return ['--cfg-options', *loaders]


@pytest.fixture(scope='module')
def checkpoint(root, tmp_path_factory) -> Path:
    """WeCLIP after a static and two dynamic iterations."""
    work_dir = tmp_path_factory.mktemp('weclip')
    shortened = [
        'train_cfg.max_iters=3',
        'train_cfg.val_interval=3',
        'custom_hooks.0.dynamic_from=1',
        'default_hooks.checkpoint.interval=3',
    ]
    code = run_tool(
        *('train', CONFIGS / 'weclip_toy.py', '--work-dir', work_dir),
        *options(root),
        *shortened,
    )
    assert not code
    return work_dir / 'iter_3.pth'


def test_weclip_trains_and_is_tested_with_its_own_views(root, checkpoint, tmp_path):
    out = tmp_path / 'labels'
    command = ('test', CONFIGS / 'weclip_toy.py', checkpoint, '--tta', '--out', out)
    assert not run_tool(*command, '--work-dir', tmp_path, *options(root))
    assert len(list(out.glob('*.png'))) == 3


def test_clip_es_is_tested_without_a_checkpoint(root, tmp_path):
    command = ('test', CONFIGS / 'clip_es_toy.py', '--out', tmp_path / 'labels')
    assert not run_tool(*command, '--work-dir', tmp_path, *options(root))
    assert len(list((tmp_path / 'labels').glob('*.png'))) == 3


@pytest.mark.parametrize('method', ['weclip', 'clip_es'])
def test_labels_are_exported_of_the_tagged_classes_alone(root, tmp_path, method):
    command = ('make_pseudo_labels', CONFIGS / f'{method}_toy.py', '--out', tmp_path / 'labels')
    assert not run_tool(*command, *options(root))
    cfg = Config.fromfile(CONFIGS / f'{method}_toy.py')
    for path in (tmp_path / 'labels').glob('*.png'):
        annotation = (root / f'Annotations/{path.stem}.xml').read_text()
        vocabulary = MODELS.build(cfg.model.text_head).vocabulary.classes
        tagged = {i + 1 for i, name in enumerate(vocabulary) if f'<name>{name}<' in annotation}
        assert set(np.unique(np.array(Image.open(path)))) <= {0, *tagged}


def test_clip_es_marks_what_its_crf_is_not_sure_of(root, tmp_path):
    command = ('make_pseudo_labels', CONFIGS / 'clip_es_toy.py', '--crf', '--out', tmp_path / 'out')
    assert not run_tool(*command, *options(root))
    labels = [np.array(Image.open(path)) for path in (tmp_path / 'out').glob('*.png')]
    assert len(labels) == 6
    assert any((label == 255).any() for label in labels)


def test_clip_es_refuses_to_train(root):
    model: CLIPES = MODELS.build(Config.fromfile(CONFIGS / 'clip_es_toy.py').model)
    with pytest.raises(BadInput, match='CLIPES trains nothing'):
        model.loss(torch.zeros(1, 3, 64, 64), [])
