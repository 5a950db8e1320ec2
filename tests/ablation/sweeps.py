"""Sweeps in processes of their own, the package imported once: `python -m tests.ablation.sweeps`.

Runs a small sweep on the toy world unbroken, then another one that is killed three times, then one
with a setting that cannot run. Prints, as JSON, at which share of the unbroken time each kill came,
whether it hit a sweep, and the exit code of the last one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from tests.datasets.tools import run_tool

ROOT = Path(__file__).parents[2]
TABLE = """
name = 'x'
title = 'Number of calibrated layers'
head = 'N'
columns = ('M, training-free', 'M', 'Seg.')
rows = [
    dict(label='1', options={'model.neck.num_layers': 1}, paper={'M': 71.9, 'Seg.': 71.1}),
    dict(label='5', options={'model.neck.num_layers': 5}, paper={'M': 78.0, 'Seg.': 77.2}),
]
"""
BAD_TABLE = """
name = 'y'
title = 'A setting that cannot run'
head = 'C'
columns = ('M, training-free',)
rows = [
    dict(label='bad', options={'model.decode_head.num_heads': 7}),
    dict(label='good', options={}),
]
"""
# All three phases, and a checkpoint after every iteration.
OPTIONS = [
    'train_cfg.max_iters=3',
    'param_scheduler.0.max_iters=3',
    'custom_hooks.0.dynamic_from=1',
    'custom_hooks.0.prediction_pairs_from=2',
    'default_hooks.checkpoint.interval=1',
    'train_dataloader.batch_size=2',
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
    'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
]


def start(folder: Path, name: str, table: str = TABLE) -> int:
    """Fork a sweep into `folder/name`."""
    pid = os.fork()
    if pid:
        return pid
    os.setpgid(0, 0)
    (folder / f'{name}.py').write_text(table)
    data = f'data_root={folder}/VOC2012'
    code = run_tool(
        'ablate', folder / f'{name}.py', '--base', ROOT / 'configs/excel_toy.py',
        '--work-dir', folder / name, '--cfg-options', *OPTIONS,
        f'train_dataloader.dataset.{data}', f'val_dataloader.dataset.{data}',
    )  # fmt: skip
    sys.stdout.flush()
    os._exit(code)


def finish(pid: int) -> int:
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def kill_after(pid: int, seconds: float) -> bool:
    """Kill a sweep, not its runs; False if it had finished."""
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def main(folder: Path, seed: int) -> None:
    import mmseg_excel.ablation  # noqa: F401

    begin = time.monotonic()
    assert finish(start(folder, 'unbroken')) == 0
    duration = time.monotonic() - begin

    draw = random.Random(seed)
    kills = []
    for _ in range(3):
        share = draw.uniform(0.05, 0.5)
        hit = kill_after(start(folder, 'killed'), share * duration)
        kills.append((share, hit))
    assert finish(start(folder, 'killed')) == 0
    failing = finish(start(folder, 'failing', BAD_TABLE))
    print(json.dumps(dict(kills=kills, failing=failing)))


if __name__ == '__main__':
    main(Path(sys.argv[1]), int(sys.argv[2]))
