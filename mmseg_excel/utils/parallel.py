"""The same work on many files, over processes, under a progress bar."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TypeVar

import cv2
import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from .checks import check_whole
from .drafts import termination_raises

Item = TypeVar('Item')
Result = TypeVar('Result')

CHUNK = 16
MOST_WORKERS = 1024
ENDED = (
    'A worker process was ended from outside, mostly because memory ran out: start again with '
    'fewer workers.'
)

# In a worker:
_at_work = threading.Event()
_stopping = threading.Event()


def check_workers(workers: object) -> None:
    """Refuse what is no sensible number of processes.

    Raises:
        BadInput: Names the number.
    """
    check_whole('workers', workers, f'[1, {MOST_WORKERS}]')


def parallel_map(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int, title: str
) -> Iterator[Result]:
    """Results in the order of ``items``; one worker means this process.

    Args:
        function: Picklable. What is wrong with an item is a result, not an exception.
        items: Small picklable things, such as names.
        workers: Number of processes.
        title: Text before the progress bar.

    Raises:
        ChildProcessError: A worker was ended from outside.
    """
    columns = TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn()
    console = Console(stderr=True)
    with (
        termination_raises(),
        Progress(*columns, TimeRemainingColumn(), console=console) as progress,
    ):
        results = _results(function, items, workers)
        yield from progress.track(results, total=len(items), description=title)


def _results(function: Callable, items: Sequence, workers: int) -> Iterator:
    workers = min(workers, len(items))
    if workers <= 1:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(workers, initializer=_start_worker) as pool:
        try:
            yield from pool.map(partial(_work, function), items, chunksize=CHUNK)
        except BrokenProcessPool:
            raise ChildProcessError(ENDED) from None
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()  # after its item
            pool.shutdown(cancel_futures=True)
            raise


def _work(function, item):
    _at_work.set()
    try:
        return function(item)
    finally:
        _at_work.clear()
        if _stopping.is_set():
            _end()


def _stop(*_: object) -> None:
    """Finish the item that is underway; who waits for one may wait for ever."""
    _stopping.set()
    if not _at_work.is_set():
        _end()


def _end() -> None:
    os._exit(1)  # the executor would take SystemExit for an item's result, and go on


def _start_worker() -> None:
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, _stop)
    # One thread: OpenMP's others do not survive a fork, and it hangs.
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def end_with_parent() -> None:
    """End this process soon after the one that started it has ended, even if it was killed."""
    parent = multiprocessing.parent_process()
    if parent is None:  # nobody to end with
        return

    def watch() -> None:
        while os.getppid() == parent.pid:
            time.sleep(0.1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
