"""Two processes without a GPU train and test by the tools, as two with one each would."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mmseg_excel.datasets.toy.voc_layout import write_voc_layout

from .killed_runs import ROOT, options

NO_GPU = dict(OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='')


def launch(tool: str, *args: object) -> str:
    """Output of two processes, both of which have to succeed."""
    launcher = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']
    command = [*launcher, ROOT / 'tools' / f'{tool}.py', ROOT / 'configs/excel_toy.py', *args]
    done = subprocess.run(command, env=os.environ | NO_GPU, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.mark.timeout(1200)
def test_training_and_testing(tmp_path):
    write_voc_layout(tmp_path, num_train=7, num_val=3)
    run = tmp_path / 'run'
    launch(
        'train', '--work-dir', run, '--launcher', 'pytorch', '--cfg-options', *options(tmp_path, 2)
    )
    log = launch(
        'test', run / 'iter_2.pth', '--work-dir', tmp_path / 'test', '--launcher', 'pytorch',
        '--cfg-options', f'test_dataloader.dataset.data_root={tmp_path}/VOC2012',
    )  # fmt: skip
    assert log.count('Summary') <= 1 and 'mIoU' in log
