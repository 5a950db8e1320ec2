"""What a user installs holds commands, recipes, descriptions and the toy CLIP, and is enough."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from mmengine.config import Config

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope='module')
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, so that building leaves nothing in the checkout."""
    folder = tmp_path_factory.mktemp('wheel')
    subprocess.run(['git', 'clone', '--quiet', str(ROOT), str(folder / 'source')], check=True)
    pip('wheel', '--no-build-isolation', '--wheel-dir', folder, folder / 'source')
    (built,) = folder.glob('*.whl')
    return built


def pip(*arguments: object) -> None:
    command = [sys.executable, '-m', 'pip', *map(str, arguments), '--quiet', '--no-deps']
    subprocess.run(command, check=True)


def test_the_wheel_is_complete(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (
        'configs/excel_voc.py',
        'configs/excel_coco.py',
        'configs/excel/metafile.yaml',
        'configs/_base_/datasets/voc.py',
        'descriptions/voc.json',
        'descriptions/coco.json',
        'assets/excel-toy.json',
        'assets/excel-toy.safetensors',
        'commands/train.py',
        'models/excel.py',
        'py.typed',
    ):
        assert f'mmseg_excel/{path}' in names, path


def test_the_wheel_is_enough(wheel, tmp_path):
    pip('install', '--target', tmp_path / 'site', wheel)
    environment = {**os.environ, 'PYTHONPATH': str(tmp_path / 'site')}

    def run(*arguments: str) -> str:
        command = [str(tmp_path / 'site/bin/mmseg-excel'), *arguments]
        return subprocess.run(
            command, env=environment, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    assert 'make-toy-world' in run('--help')
    run('make-toy-world', 'toy', '--size', '32', '--train', '2', '--val', '1')
    assert len(list((tmp_path / 'toy/VOC2012/JPEGImages').iterdir())) == 3


def test_installing_touches_no_opencv(wheel):
    """mmcv has brought one of its packages; another would overwrite it."""
    (metadata,) = (name for name in zipfile.ZipFile(wheel).namelist() if name.endswith('/METADATA'))
    required = zipfile.ZipFile(wheel).read(metadata).decode()
    assert 'Requires-Dist: opencv' not in required


def test_a_config_elsewhere_inherits_in_one_line(tmp_path):
    config = tmp_path / 'mine.py'
    config.write_text(
        'from mmengine.config import read_base\n'
        'with read_base():\n'
        '    from mmseg_excel.configs.excel_coco import *\n'
        'model.neck.update(num_layers=3)\n'
    )
    cfg = Config.fromfile(config)
    assert cfg.model.neck == dict(type='SVCNeck', num_layers=3, mode='qkv')
    assert cfg.model.text_head.vocabulary == 'coco'
    assert cfg.train_dataloader.dataset.type.__name__ == 'COCOTagsDataset'
