"""Recorded steps: when one is recorded, what it computes, and what is in the way."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import MMLogger

from mmseg_excel.engine import FusedAdamW, GraphHook, graph_hook
from mmseg_excel.engine.graph_hook import LossRoom, RecordedLosses, why_not
from mmseg_excel.models.tags import Tags, pack_tags
from mmseg_excel.models.trained_segmentor import Phase
from mmseg_excel.ops.operators import has_kernels
from mmseg_excel.utils.bad_input import BadInput

from ..golden.model import build_golden_model, golden_samples, golden_tags
from ..golden.reference import golden_tensor
from ..tolerance import assert_near

DYNAMIC = Phase(dynamic=True)


def tags_with(most: int, device: torch.device | str = 'cpu') -> Tags:
    """Tags of two images, one of which has as many as said."""
    multi_hot = torch.zeros(2, 20)
    multi_hot[0, :most] = 1
    multi_hot[1, 5] = 1
    return pack_tags(multi_hot.tolist(), device)


@pytest.fixture
def recorded():
    """Losses that say how they came about, and of what kinds there are recordings."""
    recordings = []

    def record(compute, model, inputs, tags):
        recordings.append((tuple(inputs.shape), tags.classes.shape[1], model.phase.dynamic))
        return lambda inputs, tags: 'replayed'

    model = SimpleNamespace(phase=Phase(), losses=lambda inputs, tags: 'computed')
    return RecordedLosses(model, lambda: record), recordings


def test_the_second_batch_of_a_kind_is_recorded_and_the_others_computed(recorded):
    losses, recordings = recorded
    images = torch.zeros(2, 3, 32, 32)
    answers = [losses(images, tags_with(most)) for most in (1, 2, 1, 1, 2, 3)]
    assert answers == ['computed', 'computed', 'replayed', 'replayed', 'replayed', 'computed']
    assert recordings == [((2, 3, 32, 32), 1, False), ((2, 3, 32, 32), 2, False)]


def test_the_last_batch_of_an_epoch_is_of_another_kind(recorded):
    losses, _ = recorded
    sizes = [(2, 32), (2, 32), (1, 32), (2, 48)]
    answers = [losses(torch.zeros(n, 3, s, s), tags_with(1)) for n, s in sizes]
    assert answers == ['computed', 'replayed', 'computed', 'computed']


def test_autocast_is_of_another_kind(recorded):
    losses, _ = recorded
    images, answers = torch.zeros(2, 3, 32, 32), []
    for dtype in (torch.bfloat16, torch.bfloat16, torch.float16):
        with torch.autocast('cpu', dtype):
            answers.append(losses(images, tags_with(1)))
    assert [*answers, losses(images, tags_with(1))] == ['computed', 'replayed'] + 2 * ['computed']


def test_a_new_phase_drops_all_recordings(recorded):
    losses, recordings = recorded
    images = torch.zeros(2, 3, 32, 32)
    answers = []
    for phase in (Phase(), Phase(), DYNAMIC, DYNAMIC):
        losses.model.phase = phase
        answers.append(losses(images, tags_with(1)))
    assert answers == ['computed', 'replayed'] * 2
    assert [dynamic for _, _, dynamic in recordings] == [False, True]
    assert len(losses._seen) == 1


@pytest.mark.parametrize('dtype', [None, torch.bfloat16])
def test_what_is_recorded_are_the_losses_and_their_gradients(dtype):
    model, images = build_golden_model(), golden_tensor('image')[..., :96, :96]
    model.phase, tags = DYNAMIC, golden_tags('cpu')
    room = LossRoom(model.losses, model, dtype)
    with torch.autocast('cpu', dtype, enabled=dtype is not None):
        expected = model.losses(images, tags)
    found = room(images, tags.classes, tags.present)
    trained = [p for p in room.parameters() if p.requires_grad]
    assert len(trained) == len([p for p in model.parameters() if p.requires_grad])
    for name, loss in expected.items():
        assert torch.equal(found[name], loss)
    wanted, given = (torch.autograd.grad(sum(x.values()), trained) for x in (expected, found))
    for ours, theirs in zip(given, wanted, strict=True):
        assert_near(ours, theirs)


def test_training_asks_what_records_and_then_no_more(monkeypatch):
    model, images = build_golden_model(), golden_tensor('image')[..., :64, :64]
    expected = model.loss(images, golden_samples())
    recorded = []
    monkeypatch.setattr(torch.cuda, 'graph_pool_handle', tuple)
    monkeypatch.setattr(
        graph_hook, 'record_on_cuda', lambda compute, *_, pool: recorded.append(pool) or compute
    )
    graph_hook.record_losses(model)
    for _ in range(3):
        found = model.loss(images, golden_samples())
        assert all(torch.equal(found[name], loss) for name, loss in expected.items())
    assert recorded == [()]
    graph_hook.forget_recordings(model)
    assert model.losses.__func__ is type(model).losses


def test_what_is_in_the_way_is_told():
    on_cpu, on_gpu = (SimpleNamespace(device=torch.device(name)) for name in ('cpu', 'cuda'))
    assert 'need a GPU' in why_not(on_cpu, 1)
    if has_kernels(on_gpu):
        assert '2 processes' in why_not(on_gpu, 2)
        assert why_not(on_gpu, 1) is None
    else:
        assert 'without Triton' in why_not(on_gpu, 1)


def runner_of(model, pinned: bool = False, **optim_wrapper) -> SimpleNamespace:
    return SimpleNamespace(
        model=model,
        cfg=ConfigDict(optim_wrapper=optim_wrapper),
        train_dataloader=SimpleNamespace(pin_memory=pinned),
        logger=MMLogger.get_current_instance(),
    )


def test_without_a_gpu_steps_are_computed():
    model = build_golden_model()
    hook, runner = GraphHook(), runner_of(model)
    hook.before_train(runner)
    assert 'losses' not in vars(model)
    hook.after_train(runner)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(accumulative_counts=4), 'accumulative_counts is 4.*set it to 1'),
        (dict(pinned=True), 'train_dataloader.pin_memory is True.*leave it out'),
    ],
)
def test_what_no_recording_could_do_is_refused(options, message):
    with pytest.raises(BadInput, match=message):
        GraphHook().before_train(runner_of(build_golden_model(), **options))


def test_a_foreign_model_is_refused():
    with pytest.raises(BadInput, match='not of a Linear: leave it out'):
        GraphHook().before_train(runner_of(torch.nn.Linear(1, 1)))


def test_steps_are_the_same_bits_with_and_without(device):
    if device.type != 'cuda':
        pytest.skip('CUDA graphs need a GPU: --device cuda')
    torch.use_deterministic_algorithms(True)
    try:
        computed, replayed = (steps(device, hooks) for hooks in ([], [GraphHook()]))
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(map(torch.equal, computed, replayed))


def steps(device: torch.device, hooks: list[GraphHook]) -> list[torch.Tensor]:
    """Losses of twelve steps through two phases and two numbers of tags, and the weights then."""
    model = build_golden_model().to(device).train()
    optimizer, images = FusedAdamW(model.parameters(), lr=1e-3), golden_tensor('image').to(device)
    for hook in hooks:
        hook.before_train(runner_of(model))
    losses = []
    for step in range(12):
        torch.manual_seed(step)
        model.phase = Phase(dynamic=step >= 6)
        found = model.losses(images, tags_with(1 + step % 2, device))
        optimizer.zero_grad()
        sum(found.values()).backward()
        optimizer.step()
        losses += [loss.detach() for loss in found.values()]
        del found  # with its graph, as MMEngine's loop does: the next step may be recorded
    return losses + [p.detach() for p in model.parameters()]
