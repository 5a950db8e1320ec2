"""A training step of two processes with one image each."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmseg.structures import SegDataSample
from mmseg.utils import register_all_modules
from torch import Tensor, nn

from mmseg_excel.models.trained_segmentor import Phase

Step = Callable[[slice], tuple[dict[str, float], dict[str, Tensor]]]


def training_step(
    model: nn.Module, images: Tensor, samples: list[SegDataSample], phase: Phase
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Losses of a batch, and the gradient of each trained parameter."""
    model.phase = phase
    model.zero_grad()
    losses = model.loss(images, samples)
    sum(losses.values()).backward()
    gradients = {
        name: parameter.grad
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    return {name: value.item() for name, value in losses.items()}, gradients


def step_of_two_processes(step: Step, folder: Path) -> dict[str, dict]:
    """Losses and gradients of images 0 and 1, each seen by its own process, averaged as by DDP.

    Args:
        step: From which images to losses and gradients; of a module, so that processes find it.
        folder: Where the processes meet.
    """
    mp.spawn(_worker, args=(step, str(folder)), nprocs=2)
    return torch.load(folder / 'step.pt', weights_only=True)


def _worker(rank: int, step: Step, folder: str) -> None:
    os.environ['MASTER_ADDR'] = '127.0.0.1'
    torch.set_num_threads(1)
    register_all_modules(init_default_scope=True)
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    losses, gradients = step(slice(rank, rank + 1))
    averaged = {name: torch.tensor(value) for name, value in losses.items()}
    for number in (*gradients.values(), *averaged.values()):
        dist.all_reduce(number)
        number /= 2
    if rank == 0:
        values = {name: value.item() for name, value in averaged.items()}
        torch.save(dict(losses=values, gradients=gradients), f'{folder}/step.pt')
    dist.barrier()
    dist.destroy_process_group()
