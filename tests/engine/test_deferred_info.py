"""Losses that are handed over later are the same losses."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import CheckpointHook, LoggerHook, RuntimeInfoHook
from mmengine.logging import MessageHub

from mmseg_excel.engine import DeferredInfoHook

LAST = 23


@pytest.fixture
def runner(monkeypatch):
    """As much of a runner as the hook looks at."""
    hub = MessageHub('deferred')
    return SimpleNamespace(
        hooks=[LoggerHook(interval=10), CheckpointHook(interval=7)],
        message_hub=hub,
        iter=0,
        max_iters=LAST,
        train_dataloader=range(10**9),
        _train_loop=SimpleNamespace(max_iters=LAST),
    )


def scalars(hook, runner) -> list[tuple[list[float], int]]:
    """Values of the message hub after each iteration."""
    seen = []
    for runner.iter in range(LAST):
        loss = torch.tensor(1 / (1 + runner.iter), requires_grad=True)
        hook.after_train_iter(runner, runner.iter, None, dict(loss=loss, other=loss * 2))
        history = runner.message_hub.log_scalars.get('train/loss')
        seen.append(list(history.data[0]) if history else [])
    return seen


def test_values_arrive_when_a_log_or_a_checkpoint_needs_them(runner):
    deferred = scalars(DeferredInfoHook(), runner)
    assert [len(values) for values in deferred] == [
        *[0] * 6, *[7] * 3, *[10] * 4, *[14] * 6, 20, 21, 21, 23,
    ]  # fmt: skip
    other = list(runner.message_hub.log_scalars['train/other'].data[0])
    runner.message_hub = MessageHub('at once')
    at_once = scalars(RuntimeInfoHook(), runner)
    assert deferred[-1] == at_once[-1]
    assert other == [2 * value for value in at_once[-1]]
