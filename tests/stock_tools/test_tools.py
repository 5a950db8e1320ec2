"""MMSegmentation's own tools, as installed, with our recipes: run from somebody else's folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import mmseg
import numpy as np
import pytest
from PIL import Image

from mmseg_excel.datasets.toy.voc_layout import write_voc_layout

HERE = Path(__file__).parent
CONFIG = HERE.parents[1] / 'configs/excel_toy.py'
TOOLS = Path(mmseg.__file__).parent / '.mim/tools'
CHECKPOINT = 'trained/iter_2.pth'
OPTIONS = [
    'train_cfg.max_iters=2',
    'train_cfg.val_interval=9',
    'model.text_head.mode=global',
    *(
        f'{split}_dataloader.{setting}'
        for split in ('train', 'val', 'test')
        for setting in (
            'num_workers=0',
            'persistent_workers=False',
            'dataset.data_root=toy/VOC2012',
        )
    ),
    'test_cfg.workers=1',
]
AFTER = ['--cfg-options', *OPTIONS]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (TOOLS / 'test.py').is_file(),
        reason='this MMSegmentation is installed without its tools (mmseg/.mim/tools)',
    ),
]


def tool(name: str, path: str, *arguments: str) -> list[str]:
    return [name, str(TOOLS / path), *arguments]


# Each list is one process: what comes first finds nothing registered.
TRAINING = [
    tool('train', 'train.py', str(CONFIG), '--work-dir', 'trained', *AFTER),
    tool('get_flops', 'analysis_tools/get_flops.py', str(CONFIG), '--shape', '64', *AFTER),
    tool('print_config', 'misc/print_config.py', str(CONFIG), *AFTER),
    tool('print_config --graph', 'misc/print_config.py', str(CONFIG), '--graph', *AFTER),
]
BROWSING = [
    tool(
        'browse_dataset', 'misc/browse_dataset.py', str(CONFIG),
        '--output-dir', 'browsed', '--not-show', *AFTER,
    ),
]  # fmt: skip
TESTED = [str(CONFIG), CHECKPOINT, '--work-dir', 'tested']
TESTING = [
    tool('test --tta --out', 'test.py', *TESTED, '--tta', '--out', 'labels', *AFTER),
    tool('test --show-dir', 'test.py', *TESTED, '--show-dir', 'shown', *AFTER),
    tool(
        'confusion_matrix', 'analysis_tools/confusion_matrix.py',
        str(CONFIG), 'labels', 'matrix', *AFTER,
    ),
    ['apis', str(HERE / 'ask_apis.py'), 'mine.py', CHECKPOINT, 'toy/image.png'],
]  # fmt: skip
CAM = [
    tool(
        'visualization_cam', 'analysis_tools/visualization_cam.py',
        'toy/image.png', 'mine.py', CHECKPOINT, '--target-layers', 'adapter',
        '--category-index', '0', '--device', 'cpu', '--cam-file', 'cam.png',
    ),
]  # fmt: skip
AGAIN = [
    tool('test --out again', 'test.py', *TESTED, '--tta', '--out', 'labels', *AFTER),
    tool('benchmark', 'analysis_tools/benchmark.py', 'mine.py', CHECKPOINT),
]


def run(folder: Path, tools: list[list[str]]) -> str:
    environment = os.environ | dict(
        PYTHONPATH=os.pathsep.join([str(HERE.parents[1]), os.environ.get('PYTHONPATH', '')]),
        MPLBACKEND='Agg',
        MMSEG_EXCEL_CACHE=str(folder / 'cache'),
    )
    done = subprocess.run(
        [sys.executable, str(HERE / 'run_tools.py'), json.dumps(tools)],
        cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """Somebody's project: data, and a config that inherits ours."""
    folder = tmp_path_factory.mktemp('project')
    root = write_voc_layout(folder / 'toy', num_train=4, num_val=7)
    image = next((root / 'JPEGImages').iterdir())
    Image.open(image).convert('RGB').save(folder / 'toy/image.png')
    lines = ['from mmengine.config import read_base', 'with read_base():']
    lines += ['    from mmseg_excel.configs.excel_toy import *']
    lines += ["model.text_head.update(mode='global')"]
    lines += ['test_dataloader.update(num_workers=0, persistent_workers=False)']
    lines += ["test_dataloader.dataset.update(data_root='toy/VOC2012')"]
    (folder / 'mine.py').write_text('\n'.join(lines) + '\n')
    return folder


@pytest.fixture(scope='module')
def trained(folder) -> str:
    return run(folder, TRAINING)


@pytest.fixture(scope='module')
def tested(folder, trained) -> str:
    return run(folder, TESTING)


def said_by(output: str, name: str) -> str:
    """What a tool printed; fails with it if the tool failed."""
    begin = output.index(f'BEGIN {name}\n')
    assert f'RAN {name}\n' in output, output[begin:][-3000:]
    return output[begin : output.index(f'RAN {name}\n')]


@pytest.mark.parametrize('name', [name for name, *_ in TRAINING])
def test_after_training(folder, trained, name):
    if name == 'get_flops' and 'cannot be both set' in trained:
        pytest.skip('MMSegmentation 1.2 hands MMEngine two things where it takes one')
    output = said_by(trained, name)
    assert (folder / CHECKPOINT).is_file()
    if name == 'get_flops':
        # 2 M parameters of CLIP and 3.7 M of adapter and decoder, each once a patch.
        flops = float(re.search(r'Flops: ([\d.]+)G', output).group(1))
        assert 0.3 < flops < 0.4


def test_browse_dataset(folder):
    said_by(run(folder, BROWSING), 'browse_dataset')
    assert len(list((folder / 'browsed').rglob('*.png'))) == 4


@pytest.mark.parametrize('name', [name for name, *_ in TESTING])
def test_after_testing(folder, tested, name):
    output = said_by(tested, name)
    if name.startswith('test'):
        assert 'mIoU' in output
    if name == 'apis':
        assert output.count('64, 64)') == 3


@pytest.mark.skipif(find_spec('pytorch_grad_cam') is None, reason='needs grad-cam before 1.5')
def test_visualization_cam(folder, trained):
    said_by(run(folder, CAM), 'visualization_cam')
    assert Image.open(folder / 'cam.png').size == (64, 64)


def test_an_interrupted_test_goes_on_in_another_process(folder, tested):
    said_by(tested, 'test --tta --out')
    labels = sorted((folder / 'labels').glob('*.png'))
    assert len(labels) == 7
    labels[3].unlink()
    output = run(folder, AGAIN)
    assert 'mIoU' in said_by(output, 'test --out again')
    assert np.array(Image.open(labels[3])).shape == (64, 64)
