"""Trainings that are killed, the package imported once: `python -m tests.engine.killed_runs`.

Trains on the toy world unbroken, then kills another training with SIGKILL at random moments around
the writing of a checkpoint and resumes it each time, and lets it finish. Prints as JSON where each
kill came, whether it hit a training, and what the kills left behind.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sys
import time
from pathlib import Path

from mmseg_excel.engine.work_dir import checkpoints_in
from tests.datasets.tools import run_tool

ROOT = Path(__file__).parents[2]
ITERATIONS = 6


def options(folder: Path, iterations: int = ITERATIONS) -> list[str]:
    """All three phases in six iterations, and a checkpoint after each: writing takes its share."""
    return [
        'model.text_head.mode=global',
        f'train_cfg.max_iters={iterations}',
        'param_scheduler.0.max_iters=6',
        'custom_hooks.0.dynamic_from=2',
        'custom_hooks.0.prediction_pairs_from=4',
        'custom_hooks.3.interval=100',
        'default_hooks.checkpoint.interval=1',
        'train_dataloader.batch_size=2',
        'train_dataloader.num_workers=1',
        'val_dataloader=None',
        'val_cfg=None',
        'val_evaluator=None',
        f'train_dataloader.dataset.data_root={folder}/VOC2012',
    ]


def start(folder: Path, name: str, iterations: int, *args: str) -> int:
    """Fork a training into `folder/name`."""
    pid = os.fork()
    if pid:
        return pid
    os.setpgid(0, 0)
    log = os.open(folder / f'{name}.log', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    code = run_tool(
        'train', ROOT / 'configs/excel_toy.py', '--work-dir', folder / name, '--deterministic',
        *args, '--cfg-options', *options(folder, iterations),
    )  # fmt: skip
    os._exit(code or 0)


def finish(pid: int) -> int:
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def kill_after(pid: int, written: Path, delay: float) -> bool:
    """Kill a training, not its workers, soon after it began to write a file, or wrote it.

    False if it had finished.

    Args:
        pid: Of the training.
        written: The file; may hold wildcards.
        delay: Seconds.
    """
    while not list(written.parent.glob(written.name)):
        time.sleep(0.001)
        if os.waitpid(pid, os.WNOHANG)[0]:
            return False
    time.sleep(delay)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def outlives(group: int, seconds: float = 15) -> bool:
    """Whether a process of a group is still there after some time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    return True


def unfinished_files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob('*') if re.search(r'\.[0-9a-f]{8}$', path.name)]


def ownerless_blocks() -> list[str]:
    """Shared memory of PyTorch whose process, named by the block, is no more."""
    owners = {name: re.match(r'torch_(\d+)_', name) for name in os.listdir('/dev/shm')}
    return [name for name, pid in owners.items() if pid and not Path('/proc', pid[1]).exists()]


def main(folder: Path, seed: int, kills: int) -> None:
    import mmseg_excel.inference.inferencer  # noqa: F401

    iterations = max(ITERATIONS, kills + 2)
    shared_memory = set(ownerless_blocks())
    assert finish(start(folder, 'unbroken', iterations)) == 0

    draw = random.Random(seed)
    moments, hits, orphans, unfinished = [], 0, 0, 0
    for number in range(kills):
        done = checkpoints_in(folder / 'killed')
        iteration = 1 + (int(done[0].stem[5:]) if done else 0)
        # Every other kill lets the iteration's checkpoint be finished, so that the run gets on.
        name = f'iter_{iteration}.pth' if number % 2 else f'*resume_{iteration}.pth*'
        moments.append((name, draw.uniform(0, 0.5)))
        pid = start(folder, 'killed', iterations, '--resume')
        hits += kill_after(pid, folder / 'killed' / name, moments[-1][1])
        orphans += outlives(pid)
        unfinished += len(unfinished_files(folder / 'killed'))
    assert finish(start(folder, 'killed', iterations, '--resume')) == 0
    print(
        json.dumps(
            dict(
                kills=moments,
                hits=hits,
                orphans=orphans,
                unfinished_by_kills=unfinished,
                unfinished=unfinished_files(folder / 'killed'),
                shared_memory=sorted(set(ownerless_blocks()) - shared_memory),
            )
        )
    )


if __name__ == '__main__':
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
