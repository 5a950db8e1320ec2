"""What a process leaves behind, however it ends, is gone at the latest with the next one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from mmseg_excel.utils.atomic import write_atomically
from mmseg_excel.utils.drafts import draft_file, draft_folder
from mmseg_excel.utils.parallel import CHUNK, parallel_map

fork = multiprocessing.get_context('fork').Process


def hold_folder(folder: Path) -> None:
    with draft_folder(folder, 'world') as draft:
        (draft / 'inside').mkdir()
        (draft / 'inside/half').write_text('half')
        time.sleep(60)


def hold_file(folder: Path) -> None:
    with draft_file(folder / 'mask.png') as draft:
        draft.write_text('half')
        time.sleep(60)


def work(folder: Path) -> None:
    with draft_folder(folder, 'index'):
        for _ in parallel_map(partial(sleep, folder), range(300), workers=2, title='sleeping'):
            pass


def sleep(folder: Path, _: int) -> None:
    (folder / f'worker_{os.getpid()}').touch()
    time.sleep(0.1)


def started(target, folder: Path, until: str, count: int = 1) -> multiprocessing.Process:
    """A process that has come so far that its folder holds ``count`` files of that kind."""
    process = fork(target=target, args=(folder,))
    process.start()
    wait_for(lambda: len(list(folder.glob(until))) >= count)
    return process


def wait_for(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def drafts(folder: Path) -> list[Path]:
    return list(folder.glob('.*.tmp'))


def make_old(path: Path) -> None:
    """As if it had been left some time ago."""
    os.utime(path, (time.time() - 60,) * 2)


@pytest.mark.parametrize('hold', [hold_folder, hold_file])
def test_the_next_writer_removes_what_a_killed_one_left(tmp_path, hold):
    process = started(hold, tmp_path, '.*.tmp')
    wait_for(lambda: list(tmp_path.rglob('half')) or drafts(tmp_path)[0].is_file())
    make_old(drafts(tmp_path)[0])
    with draft_folder(tmp_path, 'other'):
        assert len(drafts(tmp_path)) == 2, 'the draft of a living process was removed'
    process.kill()
    process.join()
    assert len(drafts(tmp_path)) == 1
    write_atomically(tmp_path / 'a.txt', b'a')
    assert [path.name for path in tmp_path.iterdir()] == ['a.txt']


def test_files_that_only_look_alike_stay(tmp_path):
    names = ['.mask.png.tmp', '.mask.png.0123abcd', 'mask.png.0123abcd.tmp', '.0123abcd.tmp']
    for name in names:
        (tmp_path / name).touch()
        make_old(tmp_path / name)
    write_atomically(tmp_path / 'a.txt', b'a')
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, 'a.txt'])


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent(tmp_path, number):
    process = started(work, tmp_path, 'worker_*', 2)
    workers = [int(path.name.split('_')[1]) for path in tmp_path.glob('worker_*')]
    os.kill(process.pid, number)
    process.join(20)
    assert process.exitcode == (128 + number if number == signal.SIGTERM else -number)
    wait_for(lambda: not any(Path(f'/proc/{pid}').exists() for pid in workers), 5)
    assert len(drafts(tmp_path)) == (0 if number == signal.SIGTERM else 1)


@pytest.mark.timeout(60)
@pytest.mark.parametrize('items', [3, CHUNK + 3], ids=['one waits', 'one is at work'])
def test_a_worker_that_was_killed_is_one_sentence(items):
    with pytest.raises(ChildProcessError, match='start again with fewer workers'):
        list(parallel_map(kill_yourself, range(items), workers=2, title='dying'))


def kill_yourself(number: int) -> None:
    time.sleep(0.5)  # the other worker is there by now
    if number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
