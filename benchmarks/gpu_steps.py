"""Parts of the report on a GPU: what a training step and its stages cost."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.case import Case
from benchmarks.gpu_setting import HALVES, Row, Rows, Setting
from benchmarks.stages import STAGES
from benchmarks.timing import Run, cuda_memory, interleaved, wait_for_gpu
from mmseg_excel.engine.compile_hook import compile_rooms
from mmseg_excel.engine.graph_hook import forget_recordings, record_losses
from mmseg_excel.models.trained_segmentor import Phase


def stages(setting: Setting) -> Rows:
    """Milliseconds of every stage: literal, ours by precision, recorded and compiled."""
    case = setting.case()
    names = list(STAGES)[-1:] if setting.quick else list(STAGES)
    for name in names:
        yield _row(setting, case, name, '')
    iterations = [name for name in names if name.startswith('iteration')]
    if setting.is_cuda:
        record_losses(case.ours)
        for name in iterations:
            yield _row(setting, case, name, 'graphs')
        forget_recordings(case.ours)
    if not setting.quick:
        compile_rooms(case.ours)
        for name in (*(name for name in names if name.startswith('PAR')), *iterations):
            yield _row(setting, case, name, 'compiled')


def _row(setting: Setting, case: Case, name: str, kind: str) -> Row:
    literal, ours = STAGES[name](case)
    runs: dict[str, Run] = {} if kind else dict(literal=literal)
    runs['fp32'] = ours
    runs |= {half: setting.in_precision(ours, half) for half in HALVES}
    for run in runs.values():  # compiles and records
        run()
        run()
    timings = interleaved(runs, 1 if setting.quick else 10)
    row: Row = dict(stage=f'{name}, {kind}' if kind else name)
    row |= {f'{what}, ms': 1e3 * timing.wall for what, timing in timings.items()}
    if setting.is_cuda and kind != 'graphs':  # a replay asks for none: what it uses is its own
        row |= {f'{what}, GB': cuda_memory(run).tensor_bytes / 1e9 for what, run in runs.items()}
    return row


def profile(setting: Setting) -> Rows:
    """Where a step of the dynamic phase spends its time: the ten dearest, by device and by host."""
    case = setting.case()
    case.ours.phase = Phase(dynamic=True)

    def step() -> None:
        with setting.autocast(torch.bfloat16):
            loss = sum(case.ours.loss(case.images, case.samples).values())
        loss.backward()

    step()  # loads and compiles
    wait_for_gpu()
    with torch.profiler.profile() as profiler:
        for _ in range(1 if setting.quick else 5):
            step()
    return [row for clock in ('device', 'cpu') for row in _dearest(profiler, clock)]


def _dearest(profiler: torch.profiler.profile, clock: str) -> list[Row]:
    cost: Callable = lambda event: getattr(event, f'self_{clock}_time_total')  # noqa: E731
    dearest = sorted(profiler.key_averages(), key=cost, reverse=True)[:10]
    return [
        dict(clock=clock, operation=event.key[:60], calls=event.count, ms=cost(event) / 1e3)
        for event in dearest
    ]
