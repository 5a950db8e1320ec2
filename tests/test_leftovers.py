"""Ten seconds after a program was ended, nothing is left of it: process, shared memory, draft."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mmseg_excel.datasets.toy.voc_layout import write_voc_layout

from .densecrf.scenes import write_scene

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
TOY = 'configs/excel_toy.py'
SHARED_MEMORY = Path('/dev/shm')


def train(folder: Path) -> tuple[list[str], Callable[[], bool]]:
    """The command, and how to know that it is at work."""
    loader = 'train_dataloader.num_workers=2'
    options = ['--work-dir', str(folder / 'work'), '--cfg-options', loader]
    options += ['train_dataloader.batch_size=2', *_root('train', folder), *_root('val', folder)]
    options += ['default_hooks.logger.interval=1']
    logs = (folder / 'work').glob
    return (
        ['tools/train.py', TOY, *options],
        lambda: any('Iter(train)' in path.read_text() for path in logs('*/*.log')),
    )


def export(folder: Path) -> tuple[list[str], Callable[[], bool]]:
    options = ['--out', str(folder / 'out'), '--crf', '--cfg-options', *_root('train', folder)]
    return (
        ['tools/make_pseudo_labels.py', TOY, *options],
        lambda: any((folder / 'out').glob('*.png')),
    )


def evaluate(folder: Path) -> tuple[list[str], Callable[[], bool]]:
    for index in range(30):
        write_scene(folder / 'scenes', index)
    paths = [str(folder / name) for name in ('scenes', 'work', 'out')]
    return (
        ['-m', 'tests.densecrf.runs', *paths, 'SlowCRF'],
        lambda: any((folder / 'out').glob('*.png')),
    )


def _root(split: str, folder: Path) -> list[str]:
    return [f'{split}_dataloader.dataset.data_root={folder / "VOC2012"}']


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize('program', [train, export, evaluate])
def test_nothing_is_left(tmp_path, program, number):
    write_voc_layout(tmp_path, num_train=200, num_val=1)
    command, at_work = program(tmp_path)
    log = tmp_path / 'output.txt'
    with log.open('w') as output, subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, start_new_session=True,
        stdout=output, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        while not at_work():
            assert process.poll() is None, log.read_text()[-2000:]
            time.sleep(0.1)
        members = group(process.pid)
        os.kill(process.pid, number)
        process.wait(10)
    assert len(members) > 1, 'there was nothing that could be left'
    deadline = time.monotonic() + 10
    while (group(process.pid) or orphans()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not group(process.pid)
    assert not orphans()
    # Who was killed could not tidy up; the next to write there does.
    assert number == signal.SIGKILL or not list(tmp_path.rglob('.*.tmp'))


def group(number: int) -> list[str]:
    """Processes of a process group."""
    found = []
    for path in Path('/proc').glob('[0-9]*/stat'):
        try:
            name, _, fields = path.read_text().rpartition(') ')
        except OSError:  # it just ended
            continue
        state, _, its_group = fields.split()[:3]
        if int(its_group) == number and state != 'Z':
            found.append(name)
    return found


def orphans() -> set[str]:
    """Blocks of shared memory that no process looks at."""
    names = {path.name for path in SHARED_MEMORY.glob('psm_*')}
    for path in Path('/proc').glob('[0-9]*/maps'):
        try:
            text = path.read_text()
        except OSError:
            continue
        names = {name for name in names if name not in text}
    return names
