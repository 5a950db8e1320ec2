"""Seeded, deterministic training: the same bits again, with any workers, broken or not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmseg_excel.datasets.toy.voc_layout import write_voc_layout
from mmseg_excel.utils.determinism import set_randomness

ROOT = Path(__file__).parents[2]
ITERATIONS = 9


class Recorder(Hook):
    """Records losses, and breaks the run off."""

    priority = 'LOWEST'

    def __init__(self, stop_before: int | None = None) -> None:
        self.losses: dict[int, dict[str, float]] = {}
        self.stop_before = stop_before

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == self.stop_before:
            raise InterruptedError

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.losses[runner.iter] = {name: value.item() for name, value in outputs.items()}


@pytest.fixture(scope='module', autouse=True)
def one_thread_and_nothing_stays_deterministic():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic = False


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('determinism')
    write_voc_layout(folder, num_train=7, num_val=1)
    return folder


def config(folder: Path, name: str, workers: int, seed: int = 3) -> Config:
    cfg = Config.fromfile(ROOT / 'configs/excel_toy.py')
    for key in ('val', 'test'):
        cfg[f'{key}_dataloader'] = cfg[f'{key}_cfg'] = cfg[f'{key}_evaluator'] = None
    loader = cfg.train_dataloader
    loader.update(batch_size=2, num_workers=workers, persistent_workers=workers > 0)
    loader.dataset.data_root = str(folder / 'VOC2012')
    cfg.model.text_head.update(mode='global')
    cfg.train_cfg.update(max_iters=ITERATIONS, val_interval=ITERATIONS + 1)
    cfg.param_scheduler[0].update(max_iters=ITERATIONS, warmup_iters=2)
    thirds = ITERATIONS // 3
    del cfg.custom_hooks[3:]  # what draws validation images
    cfg.custom_hooks[0].update(dynamic_from=thirds, prediction_pairs_from=2 * thirds)
    cfg.default_hooks.checkpoint.update(interval=thirds)
    cfg.work_dir = str(folder / name)
    cfg.experiment_name = name
    set_randomness(cfg, seed, deterministic=True)
    return cfg


def train(cfg: Config, stop_before: int | None = None) -> dict[int, dict[str, float]]:
    recorder = Recorder(stop_before)
    runner = Runner.from_cfg(cfg)
    runner.register_hook(recorder)
    try:
        runner.train()
    except InterruptedError:
        assert stop_before is not None
    return recorder.losses


def weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    return torch.load(folder / name / f'iter_{ITERATIONS}.pth', weights_only=True)['state_dict']


@pytest.fixture(scope='module')
def losses(folder) -> dict[int, dict[str, float]]:
    return train(config(folder, 'first', workers=0))


def assert_same_weights(folder: Path, name: str) -> None:
    first, second = weights(folder, 'first'), weights(folder, name)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_two_workers_give_the_same_bits(folder, losses):
    assert train(config(folder, 'workers', workers=2)) == losses
    assert_same_weights(folder, 'workers')


def test_a_broken_run_resumes_to_the_same_bits(folder, losses):
    """Broken off between two checkpoints, so that iterations are repeated."""
    stop = ITERATIONS // 2
    before = train(config(folder, 'broken', workers=0), stop_before=stop)
    cfg = config(folder, 'broken', workers=0)
    cfg.update(resume=True, experiment_name='resumed')
    after = train(cfg)
    assert set(before) | set(after) == set(losses) and set(before) & set(after)
    assert before == {i: losses[i] for i in before}
    assert after == {i: losses[i] for i in after}
    assert_same_weights(folder, 'broken')


def test_another_seed_gives_other_losses(folder, losses):
    cfg = config(folder, 'other', workers=0, seed=4)
    assert train(cfg, stop_before=2)[0] != losses[0]


def test_the_seed_of_the_command_line_wins_and_cublas_is_told(monkeypatch):
    monkeypatch.delenv('CUBLAS_WORKSPACE_CONFIG', raising=False)
    cfg = Config(dict(randomness=dict(seed=1, diff_rank_seed=True)))
    set_randomness(cfg)
    assert cfg.randomness == dict(seed=1, diff_rank_seed=True)
    assert 'CUBLAS_WORKSPACE_CONFIG' not in os.environ
    set_randomness(cfg, 5, deterministic=True)
    assert cfg.randomness == dict(seed=5, diff_rank_seed=True, deterministic=True)
    assert os.environ['CUBLAS_WORKSPACE_CONFIG'] == ':4096:8'
