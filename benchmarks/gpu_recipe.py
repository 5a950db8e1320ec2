"""A project to train by the command: photographs, CLIP of random weights, and a short recipe."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import open_clip
import torch

from benchmarks.data_loading import write_photographs
from benchmarks.gpu_setting import ROOT, Setting

RECIPE = """
from mmengine.config import read_base

with read_base():
    from mmseg_excel.configs.excel_voc import *

from benchmarks.gpu_busy import GpuBusyHook

model.backbone.update(pretrained='clip.pt')
model.text_head.update(mode='global')
train_dataloader.update(batch_size={batch}, num_workers={workers})
train_dataloader.dataset.update(data_root='.', ann_file='train.txt')
train_dataloader.dataset.tag_source = dict(type='TableTags', file='tags.json')
val_dataloader = val_cfg = val_evaluator = None
test_dataloader = test_cfg = test_evaluator = None
train_cfg.update(max_iters={iterations})
param_scheduler[0].update(max_iters={planned})
default_hooks.logger.update(interval={third})
log_processor.update(window_size={half})
custom_hooks = [
    dict(type='PhaseScheduleHook', dynamic_from={third}, prediction_pairs_from=2 * {third}),
    dict(type='IterationSeedHook'),
    dict(type='SmallCheckpointHook'),
    dict(type=GpuBusyHook, interval={third}),
]
"""
GRAPHS = "custom_hooks.append(dict(type='GraphHook'))\n"


class Project:
    """A folder to train in, gone afterwards.

    Args:
        setting: Of the report.
        photographs: How many there are.
    """

    def __init__(self, setting: Setting, photographs: int) -> None:
        self.quick, self.cpu = setting.quick, not setting.is_cuda
        self._photographs = photographs

    def __enter__(self) -> Project:
        self._temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self._temporary.name)
        write_photographs(self.folder, self._photographs)
        clip = open_clip.create_model('ViT-B-16-quickgelu').state_dict()
        torch.save({key: value.half() for key, value in clip.items()}, self.folder / 'clip.pt')
        return self

    def __exit__(self, *_: object) -> None:
        self._temporary.cleanup()

    def recipe(
        self, iterations: int, planned: int | None = None, workers: int = 4, graphs: bool = False
    ) -> str:
        """A config of equally long phases.

        Args:
            iterations: After which to stop.
            planned: Of the whole schedule. Default: as many.
            workers: That load data.
            graphs: Whether steps are recorded.
        """
        planned = planned or iterations
        text = RECIPE.format(
            batch=1 if self.quick else 4,
            workers=1 if self.quick else workers,
            iterations=iterations,
            planned=planned,
            third=max(1, planned // 3),
            half=max(1, planned // 6 - 1),  # what is timed: from where GpuBusyHook waits
        )
        return text + GRAPHS * graphs

    def train(self, recipe: str, name: str, *options: str) -> Path:
        """Train by the command; the work dir."""
        (self.folder / 'recipe.py').write_text(recipe)
        command = [sys.executable, '-W', 'ignore', ROOT / 'tools/train.py', 'recipe.py']
        environment = os.environ | dict(PYTHONPATH=str(ROOT))
        if self.cpu:
            environment['CUDA_VISIBLE_DEVICES'] = ''
        done = subprocess.run(
            [*command, '--work-dir', name, *options],
            cwd=self.folder, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr[-1500:])
        return self.folder / name
