"""Parts of the report on a GPU: what a training step and its stages cost."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.case import Case
from benchmarks.gpu_setting import HALVES, Rows, Setting
from benchmarks.stages import STAGES
from benchmarks.timing import Run, cuda_memory, interleaved
from mmseg_excel.engine.compile_hook import compile_rooms
from mmseg_excel.engine.graph_hook import forget_recordings, record_losses
from mmseg_excel.models.trained_segmentor import Phase


def stages(setting: Setting) -> Rows:
    """Milliseconds of every stage: literal, ours by precision, recorded and compiled."""
    case = setting.case()
    names = list(STAGES)[-1:] if setting.quick else list(STAGES)
    rows = [_row(setting, case, name, '') for name in names]
    if setting.is_cuda:
        record_losses(case.ours)
        rows += [_row(setting, case, n, 'graphs') for n in names if n.startswith('iteration')]
        forget_recordings(case.ours)
    if not setting.quick:
        compile_rooms(case.ours)
        faster = [name for name in names if name.startswith(('PAR', 'iteration'))]
        rows += [_row(setting, case, name, 'compiled') for name in faster]
    return rows


def _row(setting: Setting, case: Case, name: str, kind: str) -> dict[str, object]:
    literal, ours = STAGES[name](case)
    runs: dict[str, Run] = {} if kind else dict(literal=literal)
    runs['fp32'] = ours
    runs |= {half: setting.in_precision(ours, half) for half in HALVES}
    for run in runs.values():  # compiles and records
        run()
        run()
    timings = interleaved(runs, 1 if setting.quick else 10)
    row: dict[str, object] = dict(stage=f'{name}, {kind}' if kind else name)
    row |= {f'{what}, ms': 1e3 * timing.wall for what, timing in timings.items()}
    if setting.is_cuda:
        row |= {f'{what}, GB': cuda_memory(run).tensor_bytes / 1e9 for what, run in runs.items()}
    return row


def profile(setting: Setting) -> Rows:
    """Where a step of the dynamic phase spends its time: the ten dearest, by device and by host."""
    case = setting.case()
    case.ours.phase = Phase(dynamic=True)
    with torch.profiler.profile() as profiler:
        for _ in range(1 if setting.quick else 5):
            with setting.autocast(torch.bfloat16):
                loss = sum(case.ours.loss(case.images, case.samples).values())
            loss.backward()
    return [row for clock in ('device', 'cpu') for row in _dearest(profiler, clock)]


def _dearest(profiler: torch.profiler.profile, clock: str) -> Rows:
    cost: Callable = lambda event: getattr(event, f'self_{clock}_time_total')  # noqa: E731
    dearest = sorted(profiler.key_averages(), key=cost, reverse=True)[:10]
    return [
        dict(clock=clock, operation=event.key[:60], calls=event.count, ms=cost(event) / 1e3)
        for event in dearest
    ]
