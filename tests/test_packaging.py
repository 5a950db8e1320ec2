"""What a user installs holds the recipes, the descriptions and the toy CLIP."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from mmengine.config import Config

ROOT = Path(__file__).parents[1]


def test_the_wheel_is_complete(tmp_path):
    # From a copy, so that building leaves nothing in the checkout.
    source = tmp_path / 'source'
    subprocess.run(['git', 'clone', '--quiet', str(ROOT), str(source)], check=True)
    subprocess.run(
        [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps', '--no-build-isolation',
         '--wheel-dir', str(tmp_path), str(source)],
        check=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob('*.whl')
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (
        'configs/excel_voc.py',
        'configs/excel_coco.py',
        'configs/_base_/datasets/voc.py',
        'descriptions/voc.json',
        'descriptions/coco.json',
        'assets/excel-toy.json',
        'assets/excel-toy.safetensors',
        'models/excel.py',
    ):
        assert f'mmseg_excel/{path}' in names, path


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
    assert cfg.train_dataloader.dataset.type == 'COCOTagsDataset'
