"""Augmentation follows from the draw alone: not from workers, not from interruptions."""

from __future__ import annotations

import itertools
import pickle

import torch
from torch.utils.data import BatchSampler, DataLoader

from mmseg_excel.datasets.sampler import SeededInfiniteSampler


def _inputs(dataset, workers: int, skipped: int = 0) -> list[torch.Tensor]:
    sampler = SeededInfiniteSampler(dataset, seed=3)
    loader = DataLoader(
        dataset,
        batch_sampler=BatchSampler(sampler, batch_size=2, drop_last=True),
        num_workers=workers,
        collate_fn=lambda batch: torch.stack([item['inputs'] for item in batch]),
    )
    return list(itertools.islice(loader, skipped, 6))


def test_any_number_of_workers_gives_the_same_pixels(build_voc):
    dataset = build_voc('train')
    alone, helped = _inputs(dataset, 0), _inputs(dataset, 2)
    assert all(torch.equal(a, b) for a, b in zip(alone, helped, strict=True))
    # Draws of the same image differ, or the comparison would say nothing.
    assert not torch.equal(alone[0], alone[2])


def test_a_later_start_continues_the_stream(build_voc):
    dataset = build_voc('train')
    whole, rest = _inputs(dataset, 0), _inputs(dataset, 0, skipped=2)
    assert all(torch.equal(a, b) for a, b in zip(whole[2:], rest, strict=True))


def test_draws_keep_their_seeds_between_processes(build_voc):
    draws = list(itertools.islice(SeededInfiniteSampler(build_voc('train'), seed=3), 5))
    copies = pickle.loads(pickle.dumps(draws))
    assert copies == draws and [c.seed for c in copies] == [d.seed for d in draws]
    assert len({draw.seed for draw in draws}) == 5
