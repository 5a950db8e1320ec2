"""A test that goes on in another process, under another tool, and labels that other tools read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mmseg
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules

from mmseg_excel.datasets.masks import read_mask, write_mask
from mmseg_excel.datasets.toy.palette import TOY_PALETTE
from mmseg_excel.datasets.toy.voc_layout import write_voc_layout
from mmseg_excel.utils.records import record_path

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STOCK = Path(mmseg.__file__).parent / '.mim/tools'
CONFIG = ROOT / 'configs/excel_toy.py'


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """A small world, a checkpoint, and a test that wrote its labels."""
    folder = tmp_path_factory.mktemp('project')
    write_voc_layout(folder / 'data/toy', num_train=1, num_val=5)
    register_all_modules(init_default_scope=True)
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(CONFIG).model)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict(), meta={}), folder / 'model.pth')
    run(folder, ROOT / 'tools/test.py', CONFIG, 'model.pth', '--out', 'labels')
    return folder


def run(folder: Path, *command: object) -> str:
    """What a process of its own prints."""
    process = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=folder, env=os.environ | dict(PYTHONPATH=str(ROOT)), text=True, capture_output=True,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr[-2000:]
    return process.stdout + process.stderr


def test_a_second_process_goes_on_whichever_tool_it_runs(folder):
    labels = {path: path.read_bytes() for path in sorted((folder / 'labels').iterdir())}
    assert len(labels) == 5 and all(path.suffix == '.png' for path in labels)
    record = record_path(folder / 'labels').read_bytes()
    marked, *_, lost = labels  # in two batches: one that lacks a label is predicted whole
    lost.unlink()
    # No prediction: where it is found again afterwards, nothing was predicted anew.
    labels[marked] = mark(marked)
    run(folder, STOCK / 'test.py', CONFIG, 'model.pth', '--out', 'labels')
    assert {path: path.read_bytes() for path in labels} == labels
    assert record_path(folder / 'labels').read_bytes() == record


def mark(path: Path) -> bytes:
    mask = read_mask(path, 11).copy()
    mask[::2], mask[1::2] = 3, 9
    write_mask(path, mask, [list(colour) for colour in TOY_PALETTE])
    return path.read_bytes()


def test_stock_tools_read_the_folder(folder):
    recipe = ROOT / 'configs/deeplabv3plus_voc_pseudo.py'  # its data set is MMSegmentation's own
    data = 'test_dataloader.dataset.data_root=data/toy/VOC2012'
    tool = STOCK / 'analysis_tools/confusion_matrix.py'
    run(folder, tool, recipe, folder / 'labels', 'matrix', '--cfg-options', data)
    assert (folder / 'matrix/confusion_matrix.png').is_file()
