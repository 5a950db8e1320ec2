"""Two processes with one image each train like one process with both."""

from __future__ import annotations

import os

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from mmseg_excel.models.trained_segmentor import Phase

from .golden.model import build_golden_model, golden_samples
from .golden.reference import golden_tensor
from .tolerance import GRADIENTS, LOSSES, assert_near

SIZE = 160


@pytest.fixture(scope='module')
def gradients_of_two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('gloo')
    mp.spawn(_worker, args=(str(folder),), nprocs=2)
    return torch.load(folder / 'gradients.pt', weights_only=True)


def test_gradients_equal_those_of_the_joint_batch(gradients_of_two_processes):
    losses, gradients = _train_step(slice(0, 2))
    ours = gradients_of_two_processes
    for name, value in losses.items():
        assert ours['losses'][name] == pytest.approx(value, abs=LOSSES)
    for name, gradient in gradients.items():
        assert_near(ours['gradients'][name], gradient, GRADIENTS, name)


def _worker(rank: int, folder: str) -> None:
    os.environ['MASTER_ADDR'] = '127.0.0.1'
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    losses, gradients = _train_step(slice(rank, rank + 1))
    # As DDP does: gradients, and here the logged losses too, are averaged over processes.
    for gradient in gradients.values():
        dist.all_reduce(gradient)
        gradient /= 2
    averaged = {}
    for name, value in losses.items():
        total = torch.tensor(value)
        dist.all_reduce(total)
        averaged[name] = total.item() / 2
    if rank == 0:
        torch.save(dict(losses=averaged, gradients=gradients), f'{folder}/gradients.pt')
    dist.barrier()
    dist.destroy_process_group()


def _train_step(images: slice) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
    model = build_golden_model()
    model.phase = Phase(dynamic=True, pairs_from_prediction=True)
    inputs = golden_tensor('image')[images, :, :SIZE, :SIZE]
    losses = model.loss(inputs, golden_samples()[images])
    sum(losses.values()).backward()
    return (
        {name: value.item() for name, value in losses.items()},
        {name: parameter.grad for name, parameter in model.named_parameters()},
    )
