"""Two processes without a GPU train and test by the tools, as one process would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmseg_excel.datasets.toy.voc_layout import write_voc_layout

from ..tolerance import GRADIENTS, assert_near
from .killed_runs import ROOT, options

pytestmark = pytest.mark.slow

NO_GPU = dict(OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='')
# One step in the last phase, and nothing that differs by process: augmentation and dropout.
ONE_STEP = """
from mmengine.config import read_base

with read_base():
    from mmseg_excel.configs.{method}_toy import *

train_pipeline = [train_pipeline[0], train_pipeline[1], train_pipeline[-1]]
train_dataloader.update(num_workers=0, persistent_workers=False)
train_dataloader.dataset.update(pipeline=train_pipeline)
val_dataloader = val_cfg = val_evaluator = None
model.adapter.update(dropout=0.0)
train_cfg.update(max_iters=1)
custom_hooks = [
    dict(type='PhaseScheduleHook', dynamic_from=0, prediction_pairs_from=0),
    dict(type='SmallCheckpointHook'),
]
default_hooks.checkpoint.update(interval=1)
"""


@pytest.fixture(scope='module')
def world(tmp_path_factory) -> Path:
    """A folder with the toy world."""
    return write_voc_layout(tmp_path_factory.mktemp('world'), num_train=7, num_val=3).parent


@pytest.fixture(scope='module')
def runs(world) -> Path:
    """Work dirs of all methods, of one process and of two: `weclip1`, `weclip2`, ..."""
    jobs = []
    for processes in (1, 2):
        for method in ('excel', 'weclip'):
            recipe = world / f'{method}.py'
            recipe.write_text(ONE_STEP.format(method=method))
            batch = f'train_dataloader.batch_size={2 // processes}'
            place = f'train_dataloader.dataset.data_root={world}/VOC2012'
            jobs.append((processes, 'train', recipe, f'{method}{processes}', batch, place))
        recipe = ROOT / 'configs/clip_es_toy.py'
        place = f'test_dataloader.dataset.data_root={world}/VOC2012'
        jobs.append((processes, 'test', recipe, f'clip_es{processes}', place))
    given = [
        (processes, tool, str(recipe), '--work-dir', str(world / name), '--cfg-options', *changes)
        for processes, tool, recipe, name, *changes in jobs
    ]
    command = [sys.executable, '-m', 'tests.engine.launched']
    environment = os.environ | NO_GPU | dict(PYTHONPATH=str(ROOT))
    pipes = dict(input=json.dumps(given), capture_output=True, text=True)
    done = subprocess.run(command, cwd=ROOT, env=environment, **pipes)
    assert done.returncode == 0, done.stderr[-3000:]
    return world


@pytest.mark.parametrize('method', ['excel', 'weclip'])
def test_two_processes_have_the_gradients_of_their_joint_batch(method, runs):
    moments = []
    for processes in (1, 2):
        path = runs / f'{method}{processes}/resume_1.pth'
        state = torch.load(path, weights_only=True)['optimizer']['state']
        moments.append([state[index]['exp_avg'] for index in sorted(state)])
    # After one step, AdamW's first moment is a tenth of the gradient.
    for joint, shared in zip(*moments, strict=True):
        assert_near(shared, joint, GRADIENTS)


def test_clip_es_has_the_scores_of_one_process(runs):
    scores = []
    for processes in (1, 2):
        [found] = (runs / f'clip_es{processes}').glob('*/*.json')
        kept = json.loads(found.read_text())
        scores.append({name: value for name, value in kept.items() if 'time' not in name})
    assert scores[0] == scores[1] and 'mIoU' in scores[0]


def launch(tool: str, *args: object) -> str:
    """Output of two processes, both of which have to succeed."""
    launcher = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']
    command = [*launcher, ROOT / 'tools' / f'{tool}.py', ROOT / 'configs/excel_toy.py', *args]
    done = subprocess.run(command, env=os.environ | NO_GPU, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.mark.timeout(1200)
def test_training_and_testing(world, tmp_path):
    run = tmp_path / 'run'
    launch('train', '--work-dir', run, '--launcher', 'pytorch', '--cfg-options', *options(world, 2))
    log = launch(
        'test', run / 'iter_2.pth', '--work-dir', tmp_path / 'test', '--launcher', 'pytorch',
        '--cfg-options', f'test_dataloader.dataset.data_root={world}/VOC2012',
    )  # fmt: skip
    assert log.count('Summary') <= 1 and 'mIoU' in log
