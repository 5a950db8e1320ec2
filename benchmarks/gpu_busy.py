"""GpuBusyHook: how busy the GPU was, by its driver, while a training ran."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from benchmarks.timing import wait_for_gpu

QUESTION = ('nvidia-smi', '--query-gpu=utilization.gpu', '--format=csv,noheader,nounits')
NAME = 'driver.json'


class GpuBusyHook(Hook):
    """Asks, in the middle of each interval, for what share of its last second the GPU computed.

    It waits for the GPU first, so that the other half of the interval is timed from nothing left.
    The driver's answers are waited for at the end of the training, and written to the work dir with
    the bytes of memory that PyTorch holds, recordings' included.

    Args:
        interval: In iterations.
    """

    def __init__(self, interval: int) -> None:
        self.every = interval
        self._asked: list[subprocess.Popen] = []

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Wait and ask."""
        if runner.iter % self.every != self.every // 2:
            return
        wait_for_gpu()
        if shutil.which(QUESTION[0]):
            self._asked.append(subprocess.Popen(QUESTION, stdout=subprocess.PIPE, text=True))

    def after_train(self, runner: Runner) -> None:
        """Write the shares, 0 to 1, one an interval."""
        answers = [question.communicate()[0].split() for question in self._asked]
        shares = [float(answer[0]) / 100 for answer in answers if answer]
        held = torch.cuda.max_memory_reserved() if torch.cuda.is_available() else 0
        (Path(runner.work_dir) / NAME).write_text(json.dumps(dict(busy=shares, held=held)))
