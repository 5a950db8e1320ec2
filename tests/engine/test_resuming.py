"""A run goes on as itself: killed, moved, copied, damaged, used by two, on a full disk."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmseg_excel.datasets.toy.voc_layout import write_voc_layout
from mmseg_excel.engine.claim import claim_run

from ..datasets.tools import run_tool
from .killed_runs import ITERATIONS, ROOT, options

pytestmark = pytest.mark.slow

LAST = f'iter_{ITERATIONS}.pth'
ONE_THREAD = dict(OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='')


@pytest.fixture(autouse=True)
def one_thread():
    """The number of threads, which decides in what order sums add up, is the unbroken run's."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """A world, a training that ran unbroken, and one that was killed at random moments."""
    folder = tmp_path_factory.mktemp('killed')
    write_voc_layout(folder, num_train=7, num_val=1)
    seed = random.randrange(10**6)
    result = subprocess.run(
        [sys.executable, '-m', 'tests.engine.killed_runs', folder, str(seed), '4'],
        cwd=ROOT, env=os.environ | ONE_THREAD, text=True, capture_output=True,
    )  # fmt: skip
    log = folder / 'killed.log'
    assert result.returncode == 0, f'seed {seed}: {result.stderr[-3000:]}{log.read_text()[-3000:]}'
    (folder / 'summary.json').write_text(result.stdout.splitlines()[-1])
    return folder


@pytest.fixture
def run(folder, tmp_path) -> Path:
    """A copy of the unbroken run."""
    return shutil.copytree(folder / 'unbroken', tmp_path / 'run')


def command(folder: Path, work_dir: Path, *args: str) -> list[str]:
    return [
        str(ROOT / 'configs/excel_toy.py'), '--work-dir', str(work_dir), '--deterministic', *args,
        '--cfg-options', *options(folder), 'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
    ]  # fmt: skip


def train(folder: Path, work_dir: Path, *args: str) -> int | None:
    try:
        return run_tool('train', *command(folder, work_dir, *args))
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.deterministic = False


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = (torch.load(path, weights_only=True)['state_dict'] for path in (one, other))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def log_of(work_dir: Path) -> str:
    return '\n'.join(path.read_text() for path in work_dir.glob('*/*.log'))


def test_a_run_killed_at_random_moments_ends_with_the_weights_of_the_unbroken_one(folder):
    summary = json.loads((folder / 'summary.json').read_text())
    assert summary['hits'] == len(summary['kills']) == 4
    assert (folder / 'killed.log').read_text().count('Resumed from') >= 2
    assert_same_weights(folder / 'unbroken' / LAST, folder / 'killed' / LAST)


def test_kills_leave_nothing_that_the_next_run_does_not_remove(folder):
    summary = json.loads((folder / 'summary.json').read_text())
    assert summary['orphans'] == 0
    assert summary['unfinished'] == []
    assert summary['shared_memory'] == []
    stored = sorted(path.name for path in (folder / 'killed').glob('*.pth'))
    assert stored == sorted(path.name for path in (folder / 'unbroken').glob('*.pth'))


def test_a_copied_run_with_a_cut_checkpoint_goes_on_from_the_one_before(folder, run):
    os.truncate(run / LAST, 10**6)
    before = (folder / 'unbroken' / LAST).stat().st_mtime_ns
    assert train(folder, run, '--resume') is None
    log = log_of(run)
    assert f"Resumed from '{run}/iter_{ITERATIONS - 1}.pth'" in log
    assert f"Not resumed from: '{run}/{LAST}' could not be read" in log
    assert_same_weights(folder / 'unbroken' / LAST, run / LAST)
    assert (folder / 'unbroken' / LAST).stat().st_mtime_ns == before
    assert (run / 'last_checkpoint').read_text() == str(run / LAST)


def test_what_does_not_decide_the_numbers_may_change(folder, run):
    extended = [f'train_cfg.max_iters={ITERATIONS + 1}', 'default_hooks.logger.interval=7']
    extended += ['custom_hooks.3.interval=50', 'default_hooks.checkpoint.max_keep_ckpts=1']
    arguments = [*command(folder, run, '--resume'), *extended]
    assert run_tool('train', *arguments) is None
    assert [path.name for path in run.glob('iter_*.pth')] == [f'iter_{ITERATIONS + 1}.pth']


def test_another_recipe_is_resumed_knowingly(folder, run):
    (run / LAST).unlink()
    changed = ['model.adapter.alpha=2.0', 'default_hooks.guard.allow_changes=True']
    assert run_tool('train', *command(folder, run, '--resume'), *changed) is None
    assert 'Resumed by another recipe: model.adapter.alpha was 3.0 and now is 2.0' in log_of(run)


def test_two_trainings_never_share_a_work_dir(folder, tmp_path, capsys):
    busy = tmp_path / 'busy'
    busy.mkdir()
    holder = subprocess.Popen(
        [sys.executable, '-c', HOLD, str(busy)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == 'locked\n'
        assert train(folder, busy) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert f"(process {holder.pid}) is at work in '{busy}': wait for it" in error
        assert [path.name for path in busy.iterdir()] == ['.training']
    finally:
        holder.kill()
        holder.wait()
    (busy / '.iter_1.pth.0123abcd').write_bytes(b'half')
    claim_run(Config(), busy)
    assert [path.name for path in busy.iterdir()] == ['.training']


HOLD = """
import sys, time
from pathlib import Path
from mmseg_excel.engine.work_dir import lock_work_dir

lock = lock_work_dir(Path(sys.argv[1]))
print('locked', flush=True)
time.sleep(600)
"""


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 100 MB, for one and a half checkpoints with their optimisers."""
    disk = tmp_path / 'disk'
    disk.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=75m', 'tmpfs', str(disk)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip('needs the right to mount')
    yield disk
    subprocess.run(['umount', '-l', str(disk)], check=True)


def test_a_full_disk_is_one_sentence_and_the_last_good_state_stays(folder, small_disk, capfd):
    work_dir = small_disk / 'run'
    assert train(folder, work_dir) == 2
    error = capfd.readouterr().err
    assert 'Traceback' not in error
    assert len([line for line in error.splitlines() if line.startswith('error: ')]) == 1
    assert 'no space left' in error and str(work_dir) in error
    torch.load(work_dir / 'iter_1.pth', weights_only=True)
    subprocess.run(['mount', '-o', 'remount,size=400m', str(small_disk)], check=True)
    assert train(folder, work_dir, '--resume') is None
    assert_same_weights(folder / 'unbroken' / LAST, work_dir / LAST)


def test_a_read_only_work_dir_is_one_sentence(folder, small_disk, capfd):
    subprocess.run(['mount', '-o', 'remount,ro', str(small_disk)], check=True)
    assert train(folder, small_disk / 'run') == 2
    error = capfd.readouterr().err
    assert 'Traceback' not in error
    assert 'cannot be written' in error and str(small_disk) in error
