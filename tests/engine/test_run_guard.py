"""What MMEngine loads is checked first, whichever tool starts it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.registry import HOOKS, MODELS
from mmengine.runner import Runner
from mmengine.utils import digit_version
from torch import nn

from mmseg_excel.engine import RunGuardHook
from mmseg_excel.utils.bad_input import BadInput
from mmseg_excel.utils.checkpoints import read_checkpoint

# What MMEngine writes into every checkpoint, and this package leaves out of its own.
reads_histories = pytest.mark.skipif(
    digit_version(torch.__version__) < digit_version('2.6'),
    reason="PyTorch before 2.6 refuses MMEngine's histories",
)


class Payload:
    """What pickle would run."""

    def __reduce__(self):
        return (exec, ('raise SystemExit("executed")',))


@MODELS.register_module(force=True)
class OneWeight(BaseModel):
    """Somebody's model, of MMEngine alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, inputs, mode='tensor'):
        output = self.layer(torch.stack(list(inputs)))
        return dict(loss=output.sum()) if mode == 'loss' else [output]


@HOOKS.register_module(force=True)
class LogsNumPy(Hook):
    """As metrics do, it leaves NumPy's numbers in the checkpoint."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        runner.message_hub.update_info('score', np.float32(0.5))


def runner_of(folder, **settings) -> Runner:
    loader = dict(dataset=[torch.zeros(1)], sampler=dict(type='DefaultSampler'), batch_size=1)
    cfg = dict(
        model=dict(type='OneWeight'),
        train_dataloader=loader,
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=2),
        optim_wrapper=dict(optimizer=dict(type='AdamW')),
        default_hooks=dict(
            guard=dict(type='RunGuardHook'),
            checkpoint=dict(type='AtomicCheckpointHook', by_epoch=False, interval=1),
        ),
        custom_hooks=[dict(type='LogsNumPy')],
        test_dataloader=loader | dict(sampler=dict(type='DefaultSampler', shuffle=False)),
        test_cfg=dict(),
        test_evaluator=[],
        work_dir=str(folder),
        default_scope='mmengine',
        randomness=dict(seed=0),
        experiment_name=f'{folder.name}{len(list(folder.glob("*")))}',
    )
    return Runner.from_cfg(Config(cfg | settings))


@pytest.fixture
def trained(tmp_path):
    runner_of(tmp_path / 'run').train()
    return tmp_path / 'run/iter_2.pth'


@pytest.mark.parametrize('start', ['train', 'test'])
def test_code_in_a_checkpoint_is_never_run(tmp_path, start):
    torch.save(dict(state_dict={}, meta=Payload()), tmp_path / 'crafted.pth')
    runner = runner_of(tmp_path / 'new', load_from=str(tmp_path / 'crafted.pth'))
    with pytest.raises(BadInput, match="crafted.pth' could not be read as a checkpoint"):
        getattr(runner, start)()


@reads_histories
def test_a_config_in_a_checkpoint_is_never_run_as_code(trained):
    """MMEngine's resume would, to compare the number of GPUs."""
    checkpoint = torch.load(trained, weights_only=False)
    checkpoint['meta']['config'] = 'raise SystemExit("executed")'
    torch.save(checkpoint, trained)
    runner = runner_of(trained.parent, resume=True, train_cfg=dict(by_epoch=False, max_iters=3))
    runner.train()
    assert runner.iter == 3


@reads_histories
def test_somebody_elses_model_is_trained_resumed_and_tested_as_ever(trained, caplog):
    """Its checkpoint holds NumPy's numbers, logged history, and the optimiser."""
    stored = read_checkpoint(trained)
    assert stored['message_hub']['runtime_info']['score'] == np.float32(0.5)
    longer = dict(by_epoch=False, max_iters=3)
    runner = runner_of(trained.parent, resume=True, train_cfg=longer)
    runner.train()
    assert isinstance(runner.message_hub.get_scalar('train/loss'), HistoryBuffer)
    weight = runner.model.layer.weight.detach().clone()
    tested = runner_of(trained.parent, load_from=str(trained.with_name('iter_3.pth')))
    tested.test()
    assert torch.equal(tested.model.layer.weight, weight)


def test_somebody_elses_model_is_not_tested_with_other_weights(tmp_path, trained):
    torch.save({'layer.weight': torch.zeros(1, 1)}, tmp_path / 'part.pth')
    with pytest.raises(BadInput, match="'layer.bias' is missing"):
        runner_of(tmp_path / 'test', load_from=str(tmp_path / 'part.pth')).test()


def test_a_copied_run_never_touches_the_best_checkpoint_of_the_original(trained):
    info = dict(best_ckpt='/original/best_iter_1.pth', keep_ckpt_ids=[1, '../../x'])
    checkpoint = dict(meta={}, message_hub=dict(runtime_info=info))
    runner = runner_of(trained.parent, resume=True)
    RunGuardHook().after_load_checkpoint(runner, checkpoint)
    assert info == dict(best_ckpt=str(trained.parent / 'best_iter_1.pth'), keep_ckpt_ids=[1])
