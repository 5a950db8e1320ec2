from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

import mmseg_excel.datasets  # noqa: F401 (registers the data sets)

from .voc_devkit import make_voc_devkit

CONFIGS = Path(__file__).parents[2] / 'configs/_base_/datasets'
TRAIN = {
    '2007_000032': ['person', 'aeroplane', 'person'],
    '2007_000039': ['tvmonitor'],
    '2008_000008': [],
    '2011_003271': ['chair', 'diningtable', 'bottle'],
}
VAL = {'2007_000033': ['aeroplane'], '2007_000042': ['train', 'person']}


@pytest.fixture(autouse=True, scope='session')
def mmseg_scope():
    init_default_scope('mmseg')


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """VOC2012 with a handful of images."""
    return make_voc_devkit(tmp_path, {'train': TRAIN, 'train_aug': TRAIN, 'val': VAL})


@pytest.fixture
def build_voc(voc: Path):
    """Build the train or val data set of the VOC config on the small devkit."""

    def build(split: str = 'train', pipeline: str | list | None = None, **overrides):
        config = Config.fromfile(CONFIGS / 'voc.py')
        dataset = config[f'{split}_dataloader'].dataset
        dataset.data_root = str(voc)
        if pipeline:
            dataset.pipeline = config[pipeline] if isinstance(pipeline, str) else pipeline
        dataset.update(overrides)
        return DATASETS.build(dataset)

    return build
