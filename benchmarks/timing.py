"""Fair clocks: two implementations measured in turn, on the wall and on the processor."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from statistics import median

import torch
from torch.profiler import ProfilerActivity, profile

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
    wait_for_gpu()
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    wait_for_gpu()
    return time.perf_counter() - wall, time.process_time() - cpu


def wait_for_gpu() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@dataclass
class Memory:
    """The most bytes held during a run.

    Attributes:
        tensor_bytes: By tensors, weights included: what CUDA's allocator would have to hand out.
        process_bytes: By this process, programs included; 0 where the tensors are on a GPU.
    """

    tensor_bytes: int
    process_bytes: int


def memory(run: Run) -> Memory:
    """Memory of a run on the CPU (Linux): meaningful in a fresh process.

    The first run is watched by the system, a second one by PyTorch's profiler.
    """
    process_bytes = process_peak(run)
    return Memory(_resting_tensor_bytes() + _new_tensor_bytes(run), process_bytes)


def process_peak(run: Run) -> int:
    """The most bytes that this process holds during a run (Linux)."""
    ctypes.CDLL(None).malloc_trim(0)
    Path('/proc/self/clear_refs').write_text('5')
    run()
    return proc_number('self', 'status', 'VmHWM') * 1024


def _resting_tensor_bytes() -> int:
    """Bytes of all tensors there are, shared storage counted once."""
    gc.collect()
    tensors = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor)]
    storages = {tensor.untyped_storage()._cdata: tensor.untyped_storage() for tensor in tensors}
    return sum(storage.nbytes() for storage in storages.values())


def _new_tensor_bytes(run: Run) -> int:
    """The most bytes of tensors that a run holds at a time beyond those there are."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == '[memory]']
    in_order = sorted(events, key=lambda event: event.start_ns())
    return max(accumulate(event.nbytes() for event in in_order))


def cuda_memory(run: Run) -> Memory:
    """GPU memory allocated around a run."""
    torch.cuda.reset_peak_memory_stats()
    run()
    return Memory(torch.cuda.max_memory_allocated(), 0)


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
