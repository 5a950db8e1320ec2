"""Running what is missing, one process a device at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import ForkContext, SpawnContext
from pathlib import Path
from typing import Any

import torch

from ..utils.bad_input import BadInput
from ..utils.checks import check_sequence
from ..utils.text_file import read_json
from .job import LOG, RESULT, execute
from .results import ResultsFile
from .runs import Run

Report = Callable[[str], None]


def sweep(
    runs: Mapping[str, Run],
    results: ResultsFile,
    work_dir: str | Path,
    devices: Sequence[str],
    report: Report = print,
) -> list[str]:
    """Run what the results lack; each result is in the file as soon as it is there.

    A sweep may be killed at any time and started again: finished runs are kept, interrupted
    trainings resume from their last checkpoint.

    Args:
        runs: Runs by key.
        results: Where results go.
        work_dir: Each run has a folder below it.
        devices: One run at a time on each; a device may be named twice.
        report: Is told what happens.

    Returns:
        Keys of the runs that failed.

    Raises:
        ValueError: A device cannot be used.
        OSError: The folder cannot be written.
    """
    check_devices(devices)
    Path(work_dir).mkdir(parents=True, exist_ok=True)
    # GPUs need fresh processes; on a CPU, a fork spares the time of importing everything.
    context: ForkContext | SpawnContext = (
        get_context('fork') if set(devices) == {'cpu'} else get_context('spawn')
    )
    missing = [key for key in runs if key not in results]
    pending = [key for key in missing if not _collect(key, Path(work_dir) / key, results)]
    report(f'{len(runs)} runs, {len(runs) - len(pending)} of them done')
    failed: list[str] = []
    free = list(devices)
    active: dict[Any, tuple[Any, str, str]] = {}
    try:
        while pending or active:
            while pending and free:
                key, device = pending.pop(0), free.pop(0)
                folder = Path(work_dir) / key
                process = context.Process(target=execute, args=(runs[key], folder, device))
                process.start()
                active[process.sentinel] = process, key, device
            for sentinel in wait(list(active)):
                process, key, device = active.pop(sentinel)
                process.join()
                free.append(device)
                if _collect(key, Path(work_dir) / key, results):
                    report(_done(key, runs[key], results))
                else:
                    failed.append(key)
                    report(f'{key} failed: see {Path(work_dir) / key / LOG}')
    finally:
        for process, _, _ in active.values():
            process.terminate()
    return failed


def check_devices(devices: Sequence[str]) -> None:
    """Refuse devices that are not there.

    Raises:
        ValueError: Says which, and the way out.
    """
    check_sequence('devices', devices)
    there = default_devices()
    for device in devices:
        if device not in there:
            raise BadInput(
                f"Device '{device}' is not to be had: choose from {', '.join(there)}. A machine "
                'with GPUs sweeps on its CPU if CUDA_VISIBLE_DEVICES= hides them.'
            )


def default_devices() -> list[str]:
    """All GPUs, or the CPU."""
    return [f'cuda:{index}' for index in range(torch.cuda.device_count())] or ['cpu']


def _collect(key: str, folder: Path, results: ResultsFile) -> bool:
    """Move a run's result into the results; False if it left none."""
    if not (folder / RESULT).is_file():
        return False
    result = read_json(folder / RESULT, 'result')
    result = result if isinstance(result, dict) else {}
    run, measured = result.get('run'), result.get('measured')
    if not isinstance(run, dict) or not isinstance(measured, dict):
        raise BadInput(f"'{folder / RESULT}' is damaged: remove it, and the run is done again.")
    results.add(key, run, measured)
    return True


def _done(key: str, run: Run, results: ResultsFile) -> str:
    scores = ', '.join(f'{name} {value:.1f}' for name, value in results.scores(key).items())
    return f'{key} ({run.label}): {scores}; {results.measured(key)["seconds"]} s'
