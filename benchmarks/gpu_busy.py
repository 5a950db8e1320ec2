"""GpuBusyHook: how busy the GPU was, by its driver, while a training ran."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.runner import Runner

QUESTION = ('nvidia-smi', '--query-gpu=utilization.gpu', '--format=csv,noheader,nounits')
NAME = 'busy.json'


class GpuBusyHook(Hook):
    """Asks, at the end of each interval, for what share of its last second the GPU computed.

    The driver's answer is waited for at the end of the training; it is written to the work dir.

    Args:
        interval: In iterations.
    """

    def __init__(self, interval: int) -> None:
        self.every = interval
        self._asked: list[subprocess.Popen] = []

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None):
        """Ask."""
        if self.every_n_train_iters(runner, self.every) and shutil.which(QUESTION[0]):
            question = subprocess.Popen(QUESTION, stdout=subprocess.PIPE, text=True)
            self._asked.append(question)

    def after_train(self, runner: Runner) -> None:
        """Write the shares, 0 to 1, one an interval."""
        answers = [question.communicate()[0].split() for question in self._asked]
        shares = [float(answer[0]) / 100 for answer in answers if answer]
        (Path(runner.work_dir) / NAME).write_text(json.dumps(shares))
