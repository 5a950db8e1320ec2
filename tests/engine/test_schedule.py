"""Learning rates and phases, iteration by iteration."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmseg_excel.engine import PhaseScheduleHook, WarmupPolyLR
from mmseg_excel.models.trained_segmentor import Phase

from ..golden.reference import golden


def test_learning_rates_of_the_reference():
    groups = [dict(params=[torch.nn.Parameter(torch.zeros(1))], lr=lr) for lr in (1e-4, 1e-3)]
    optimizer = torch.optim.SGD(groups)
    schedule = WarmupPolyLR(optimizer, by_epoch=False)
    wanted = dict(zip(golden()['opt_steps'].tolist(), golden()['opt_lrs'], strict=True))
    del wanted[30000]  # beyond the last iteration; the reference repeats the last rate there
    for iteration in range(30000):
        if iteration in wanted:
            rates = [group['lr'] for group in optimizer.param_groups]
            assert rates == pytest.approx(wanted[iteration], rel=1e-6), iteration
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize('first_end', [100, 50, 13, 12])
def test_a_resumed_schedule_continues(first_end):
    """Also where the first run ended, which takes no step at its end."""

    def schedule(end, state=None):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
        settings = dict(max_iters=100, warmup_iters=10, by_epoch=False, end=end)
        scheduler = WarmupPolyLR(optimizer, **settings)
        if state:
            scheduler.load_state_dict(state)
        return scheduler

    unbroken, first = schedule(100), schedule(first_end)
    for _ in range(30):
        unbroken.step()
    for _ in range(12):
        first.step()
    resumed = schedule(100, first.state_dict())
    for _ in range(18):
        resumed.step()
    assert resumed.get_last_value() == unbroken.get_last_value()
    assert resumed.last_step == unbroken.last_step


def test_phases_of_voc_and_coco():
    voc = PhaseScheduleHook(dynamic_from=14000, prediction_pairs_from=24000)
    assert voc.phase_at(13999) == Phase()
    assert voc.phase_at(14000) == Phase(dynamic=True)
    assert voc.phase_at(23999) == Phase(dynamic=True)
    assert voc.phase_at(24000) == Phase(dynamic=True, pairs_from_prediction=True)
    coco = PhaseScheduleHook(dynamic_from=30000)
    assert coco.phase_at(29999) == Phase()
    assert coco.phase_at(99999) == Phase(dynamic=True)


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('voc', dict(iters=30000, warmup=50, dynamic=14000, pairs=24000, k=112, tau=0.79)),
        (
            'coco',
            dict(iters=10**5, warmup=200, dynamic=30000, pairs=None, k=224, tau=0.88),
        ),
    ],
)
def test_recipes_hold_the_papers_settings(name, expected):
    cfg = Config.fromfile(f'configs/excel_{name}.py')
    schedule, phases = cfg.param_scheduler[0], cfg.custom_hooks[0]
    assert cfg.train_cfg.max_iters == schedule.max_iters == expected['iters']
    assert schedule.warmup_iters == expected['warmup'] and not schedule.by_epoch
    assert phases.dynamic_from == expected['dynamic']
    assert phases.prediction_pairs_from == expected['pairs']
    assert cfg.model.text_head.num_attributes == expected['k']
    assert cfg.model.pseudo_labeler.box_threshold == expected['tau']
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.lr, optimizer.weight_decay) == (1e-3, 1e-2)
    assert cfg.train_dataloader.batch_size == 4
    assert np.allclose(cfg.model.data_preprocessor.mean, [123.675, 116.28, 103.53])
