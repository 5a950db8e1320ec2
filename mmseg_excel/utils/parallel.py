"""The same work on many files, over processes, under a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
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

Item = TypeVar('Item')
Result = TypeVar('Result')

CHUNK = 16


def parallel_map(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int, title: str
) -> Iterator[Result]:
    """Results in the order of ``items``; one worker means this process.

    Args:
        function: Picklable. What is wrong with an item is a result, not an exception.
        items: Small picklable things, such as names.
        workers: Number of processes.
        title: Text before the progress bar.
    """
    columns = TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn()
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        results = _results(function, items, workers)
        yield from progress.track(results, total=len(items), description=title)


def _results(function, items, workers) -> Iterator:
    if workers <= 1:
        yield from map(function, items)
        return
    with ProcessPoolExecutor(workers, initializer=_one_thread) as pool:
        try:
            yield from pool.map(function, items, chunksize=CHUNK)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _one_thread() -> None:
    """Let a worker compute in one thread: OpenMP's others do not survive a fork, and it hangs."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
