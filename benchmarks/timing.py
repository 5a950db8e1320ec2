"""Fair clocks: two implementations measured in turn, on the wall and on the processor."""

from __future__ import annotations

import ctypes
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from benchmarks.processes import proc_number

Run = Callable[[], object]


@dataclass
class Timing:
    """Median cost of one run.

    Attributes:
        wall: Seconds on the wall clock.
        cpu: Processor seconds of all threads of this process. Other processes hardly change it.
    """

    wall: float
    cpu: float


def interleaved(runs: Mapping[str, Run], repeats: int) -> dict[str, Timing]:
    """Measure every run `repeats` times, one after the other, so that a busy machine is fair.

    Each is run once before, unmeasured.
    """
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(repeats):
        for name, run in runs.items():
            samples[name].append(_clock(run))
    return {
        name: Timing(*(median(values) for values in zip(*measured, strict=True)))
        for name, measured in samples.items()
    }


def _clock(run: Run) -> tuple[float, float]:
    _synchronise()
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    _synchronise()
    return time.perf_counter() - wall, time.process_time() - cpu


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@dataclass
class Memory:
    """Bytes a run needs.

    Attributes:
        resting_bytes: Held before it, by programs and weights.
        peak_bytes: The most held during it, what rests included.
    """

    resting_bytes: int
    peak_bytes: int


def memory(run: Run) -> Memory:
    """Memory of this process around a run (Linux): meaningful in a fresh process.

    Memory that was used before and given back does not count.
    """
    ctypes.CDLL(None).malloc_trim(0)
    Path('/proc/self/clear_refs').write_text('5')
    resting = proc_number('self', 'status', 'VmRSS') * 1024
    run()
    return Memory(resting, proc_number('self', 'status', 'VmHWM') * 1024)


def cuda_memory(run: Run) -> Memory:
    """GPU memory allocated around a run."""
    torch.cuda.reset_peak_memory_stats()
    resting = torch.cuda.memory_allocated()
    run()
    return Memory(resting, torch.cuda.max_memory_allocated())


def machine(device: torch.device) -> dict[str, str | int]:
    """What the figures were measured on."""
    return dict(
        processor=_processor(),
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        gpu=torch.cuda.get_device_name(device) if device.type == 'cuda' else 'none',
        python=platform.python_version(),
        torch=torch.__version__,
        system=platform.platform(),
    )


def _processor() -> str:
    try:
        with open('/proc/cpuinfo') as lines:
            return next(line.split(':')[1].strip() for line in lines if 'model name' in line)
    except (OSError, StopIteration):
        return platform.processor()
