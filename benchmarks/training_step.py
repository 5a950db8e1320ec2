"""Compare a training step and its stages with the literal implementation of the method.

Example: python -m benchmarks.training_step --memory --compile --json results.json
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

import torch

from benchmarks.case import Case, build_case
from benchmarks.stages import STAGES
from benchmarks.timing import Memory, Run, cuda_memory, interleaved, machine, memory
from mmseg_excel.engine.compile_hook import compile_rooms

# The literal implementation runs in fp32; ours in fp32 and under bf16 autocast.
VARIANTS = ('literal', 'fp32', 'bf16')

Figures = dict[str, dict[str, float]]


def main() -> int:
    args = parse_arguments()
    if args.threads:
        torch.set_num_threads(args.threads)
    case = build(args)
    print_header()
    stages = {}
    for name in args.stage or STAGES:
        stages[name] = measure(name, case, args)
        print_figures(name, stages[name])
    if args.json:
        write_json(args.json, args, stages)
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add('--stage', action='append', choices=list(STAGES), help='only this one (repeatable)')
    add('--device', default='cpu', help='cpu or cuda (default: cpu)')
    add('--threads', type=int, help="CPU threads (default: PyTorch's choice)")
    add('--repeats', type=int, default=5, help='runs of which the median counts (default: 5)')
    add('--model', default='ViT-B-16-quickgelu', help='open_clip model, random weights')
    add('--batch', type=int, default=4, help='images (default: 4)')
    add('--side', type=int, default=320, help='pixels (default: 320)')
    add('--tags', type=int, default=2, help='classes an image shows (default: 2)')
    add('--memory', action='store_true', help='measure peak memory too, in fresh processes')
    add('--compile', action='store_true', help='ours with what CompileHook compiles')
    add('--json', type=Path, help='write the figures, the machine and the versions to this file')
    return parser.parse_args()


def build(args: argparse.Namespace) -> Case:
    case = build_case(args.model, args.batch, args.side, args.tags, args.device)
    if args.compile:
        compile_rooms(case.ours)
    return case


def measure(stage: str, case: Case, args: argparse.Namespace) -> Figures:
    """Time the variants of a stage in turn, and measure their peak memory if asked to."""
    runs = prepare(stage, case)
    timings = interleaved(runs, args.repeats)
    figures = {name: dict(wall=t.wall, cpu=t.cpu) for name, t in timings.items()}
    if args.memory:
        for name, run in runs.items():
            needed = (
                cuda_memory(run)
                if case.images.is_cuda
                else memory_in_fresh_process(stage, name, args)
            )
            figures[name].update(asdict(needed))
    return figures


def prepare(stage: str, case: Case) -> dict[str, Run]:
    """Return the runs of a stage, one a variant."""
    literal, ours = STAGES[stage](case)
    return dict(zip(VARIANTS, (literal, ours, in_bf16(ours, case.images.device.type)), strict=True))


def in_bf16(run: Run, device: str) -> Callable[[], None]:
    def autocast_run() -> None:
        with torch.autocast(device, torch.bfloat16):
            run()

    return autocast_run


def memory_in_fresh_process(stage: str, variant: str, args: argparse.Namespace) -> Memory:
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        return pool.submit(_memory_of_one_run, stage, variant, args).result()


def _memory_of_one_run(stage: str, variant: str, args: argparse.Namespace) -> Memory:
    torch.set_num_threads(args.threads or torch.get_num_threads())
    return memory(prepare(stage, build(args))[variant])


def print_header() -> None:
    columns = f'{"wall s":>9}{"ratio":>7}{"cpu s":>9}{"ratio":>7}{"tensors":>9}{"process":>9}'
    print(f'{"stage":22}{"":9}{columns}  (peak memory, MB)')


def print_figures(stage: str, figures: Figures) -> None:
    literal = figures['literal']
    for variant, ours in figures.items():
        peak = ''.join(
            f'{ours[key] / 1e6:9.0f}' if ours.get(key) else f'{"-":>9}'
            for key in ('tensor_bytes', 'process_bytes')
        )
        print(
            f'{stage:22}{variant:9}{ours["wall"]:9.3f}{literal["wall"] / ours["wall"]:7.1f}'
            f'{ours["cpu"]:9.3f}{literal["cpu"] / ours["cpu"]:7.1f}{peak}',
            flush=True,
        )


def write_json(path: Path, args: argparse.Namespace, stages: dict[str, Figures]) -> None:
    """Write everything measured; a file is there whole or not at all."""
    settings = {key: value for key, value in vars(args).items() if key not in ('json', 'stage')}
    content = dict(machine=machine(torch.device(args.device)), settings=settings, stages=stages)
    unfinished = path.with_suffix(path.suffix + '.part')
    unfinished.write_text(json.dumps(content, indent=2) + '\n')
    os.replace(unfinished, path)


if __name__ == '__main__':
    sys.exit(main())
