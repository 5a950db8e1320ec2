"""Sweeps on the toy world, run, killed and resumed as users run them."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from mmseg_excel.datasets.toy.voc_layout import write_voc_layout

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """A world, a sweep that ran unbroken and one that was killed three times."""
    folder = tmp_path_factory.mktemp('sweeps')
    write_voc_layout(folder, num_train=3, num_val=2)
    seed = random.randrange(10**6)
    environment = dict(
        MMSEG_EXCEL_CACHE=str(folder / 'cache'), OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES=''
    )
    result = subprocess.run(
        [sys.executable, '-m', 'tests.ablation.sweeps', folder, str(seed)],
        cwd=ROOT, env=os.environ | environment, text=True, capture_output=True,
    )  # fmt: skip
    assert result.returncode == 0, f'seed {seed}: {result.stderr[-3000:]}{logs(folder)}'
    (folder / 'summary.json').write_text(result.stdout.splitlines()[-1])
    return folder


def logs(folder: Path) -> str:
    return '\n'.join(path.read_text()[-1500:] for path in folder.glob('*/runs/*/log.txt'))


def results(folder: Path, name: str) -> dict:
    return json.loads((folder / name / 'results.json').read_text())


def test_a_sweep_killed_three_times_ends_with_the_same_results(folder):
    kills = json.loads((folder / 'summary.json').read_text())['kills']
    assert len(kills) == 3 and kills[0][1], kills
    unbroken, killed = results(folder, 'unbroken'), results(folder, 'killed')
    assert unbroken.pop('measured').keys() == killed.pop('measured').keys()
    assert json.dumps(unbroken) == json.dumps(killed), kills
    for name in ('tables.md', 'tables.tex'):
        assert (folder / 'unbroken' / name).read_text() == (folder / 'killed' / name).read_text()


def test_every_setting_runs_once_and_says_what_it_was(folder):
    content = results(folder, 'unbroken')
    runs = content['runs'].values()
    assert sorted((run['kind'], run['seed']) for run in runs) == [
        ('static', None), ('static', None), ('train', 0), ('train', 0),
    ]  # fmt: skip
    default = {'train_cfg.max_iters': 3}
    trained = [run for run in runs if run['kind'] == 'train']
    assert all(default.items() <= run['changes'].items() for run in trained)
    assert sorted(run['changes'].get('model.neck.num_layers', 5) for run in trained) == [1, 5]
    for run in runs:
        assert len(run['config_sha256']) == 64 and 'torch' in run['versions']
        assert all(0 <= score <= 100 for score in run['scores'].values())
    for measured in content['measured'].values():
        assert measured['seconds'] > 0 and 100 < measured['peak_memory_mib'] < 20000
        assert measured['device'] == 'cpu'


def test_training_free_runs_do_not_train(folder):
    for key, run in results(folder, 'unbroken')['runs'].items():
        checkpoints = list((folder / 'unbroken/runs' / key).glob('*.pth'))
        assert bool(checkpoints) == (run['kind'] == 'train')


def test_the_tables_show_the_scores(folder):
    scores = {
        (run['kind'], run['changes'].get('model.neck.num_layers', 5)): run['scores']
        for run in results(folder, 'unbroken')['runs'].values()
    }
    text = (folder / 'unbroken/tables.md').read_text()
    for layers, paper in ((1, ('71.9', '71.1')), (5, ('78.0', '77.2'))):
        static, trained = scores['static', layers], scores['train', layers]
        numbers = static['pseudo_mIoU'], trained['pseudo_mIoU'], trained['mIoU']
        assert not any(map(math.isnan, numbers))
        free, m, seg = (f'{number:.1f}' for number in numbers)
        assert f'| {layers} | {free} | {m} | {paper[0]} | {seg} | {paper[1]} |' in text


def test_a_run_that_fails_does_not_stop_the_others(folder):
    assert json.loads((folder / 'summary.json').read_text())['failing'] == 1
    (run,) = results(folder, 'failing')['runs'].values()
    text = (folder / 'failing/tables.md').read_text()
    assert '| bad | – |' in text
    assert f'| good | {run["scores"]["pseudo_mIoU"]:.1f} |' in text
    assert sum(
        'num_heads is 7' in path.read_text() for path in folder.glob('failing/runs/*/log.txt')
    )
