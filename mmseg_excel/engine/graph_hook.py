"""GraphHook: losses and gradients of a training step as CUDA graphs."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import astuple, dataclass
from functools import partial

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from torch import Tensor, nn

from ..models.tags import Tags
from ..models.trained_segmentor import TrainedSegmentor
from ..ops.operators import OLDEST_TRITON, has_kernels
from ..utils.bad_input import BadInput
from ..utils.devices import autocast_dtype
from ..utils.distributed import unwrapped

Losses = Callable[[Tensor, Tags], dict[str, Tensor]]
Record = Callable[[Losses, nn.Module, Tensor, Tags], Losses]


@HOOKS.register_module()
class GraphHook(Hook):
    """Records labels, forward and backward pass of a step, and replays them: one launch for each.

    What is recorded holds for one size of a batch, one number of packed tags, one phase and one
    precision (:class:`Kind`). The first step of a kind is computed as usual, the second one is
    recorded, and those that follow are replayed. Dropout, learning rate, loss scale and the
    optimiser's step are those of each iteration, so nothing of a training changes but its speed.

    Without a GPU, and on several, whose processes exchange means within a step, steps are computed
    as usual.

    Raises:
        BadInput: Gradients are accumulated over iterations, or another thread pins memory: neither
            goes with recordings.

    Example:
        >>> custom_hooks.append(dict(type='GraphHook'))
    """

    def before_train(self, runner: Runner) -> None:
        """Let the model record its losses from now on."""
        model = unwrapped(runner.model)
        _check(model, runner)
        reason = why_not(next(model.parameters()), get_world_size())
        if reason:
            runner.logger.warning(f'GraphHook records nothing: {reason}')
            return
        record_losses(model)

    def after_train(self, runner: Runner) -> None:
        """Forget the recordings and their memory."""
        forget_recordings(unwrapped(runner.model))


def record_losses(model: TrainedSegmentor) -> None:
    """Let a model on a GPU record its losses from now on."""
    model.__dict__['losses'] = RecordedLosses(model, new_recorder)


def new_recorder() -> Record:
    """What records in memory of its own, once that of recordings that were dropped is free."""
    gc.collect()  # a recording holds on to itself
    return partial(record_on_cuda, pool=torch.cuda.graph_pool_handle())


def forget_recordings(model: nn.Module) -> None:
    """Let a model compute its losses again."""
    model.__dict__.pop('losses', None)


def why_not(weight: Tensor, processes: int) -> str | None:
    """What is in the way of recordings of a weight's model, as a sentence; None if nothing is."""
    if weight.device.type != 'cuda':
        return f'CUDA graphs need a GPU, and the model is on {weight.device}.'
    if not has_kernels(weight):
        return f'without Triton {OLDEST_TRITON} or later a step waits for the GPU.'
    if processes > 1:
        return f'{processes} processes exchange means within a step.'
    return None


@dataclass(frozen=True)
class Kind:
    """What a recording holds for.

    Attributes:
        size: Of the images, (B, 3, S, S).
        most_tags: The most tags an image has, K.
        phase: Values of the :class:`Phase`.
        dtype: Of autocast; None without.
    """

    size: tuple[int, ...]
    most_tags: int
    phase: tuple[bool, ...]
    dtype: torch.dtype | None


class RecordedLosses:
    """Losses of a batch, replayed if their kind was there twice before.

    Phases never come back, so a new one drops all recordings, and the memory they hold.

    Args:
        model: Whose losses.
        new_recorder: Asked in each phase for what makes a recording of losses that are computed,
            for batches like one.
    """

    def __init__(self, model: TrainedSegmentor, new_recorder: Callable[[], Record]) -> None:
        self.model = model
        self._compute: Losses = model.losses
        self._new_recorder = new_recorder
        self._record: Record
        self._phase: tuple[bool, ...] | None = None
        self._seen: dict[Kind, Losses | None] = {}

    def __call__(self, inputs: Tensor, tags: Tags) -> dict[str, Tensor]:
        """Losses of a batch, see :meth:`TrainedSegmentor.losses`."""
        kind = self._kind(inputs, tags)
        if kind.phase != self._phase:
            self._phase, self._seen = kind.phase, {}
            self._record = self._new_recorder()
        if kind not in self._seen:
            self._seen[kind] = None
            return self._compute(inputs, tags)
        replay = self._seen[kind] or self._record(self._compute, self.model, inputs, tags)
        self._seen[kind] = replay
        return replay(inputs, tags)

    def _kind(self, inputs: Tensor, tags: Tags) -> Kind:
        return Kind(
            size=tuple(inputs.shape),
            most_tags=tags.classes.shape[1],
            phase=astuple(self.model.phase),
            dtype=autocast_dtype(inputs.device.type),
        )


class LossRoom(nn.Module):
    """Losses as a module of tensors, which is what PyTorch records.

    Args:
        compute: Losses of a batch.
        model: Whose parameters these train.
        dtype: Of autocast; None without. PyTorch records no copies that it keeps of weights.
    """

    def __init__(self, compute: Losses, model: nn.Module, dtype: torch.dtype | None) -> None:
        super().__init__()
        self.model = model
        self.training = model.training
        self._compute = compute
        self._autocast = dict(dtype=dtype, enabled=dtype is not None, cache_enabled=False)

    def forward(self, inputs: Tensor, classes: Tensor, present: Tensor) -> dict[str, Tensor]:
        """Losses of images (B, 3, S, S) with tags (B, K); how many an image has, nobody asks."""
        with torch.autocast(inputs.device.type, **self._autocast):
            return self._compute(inputs, Tags(classes, present, counts=()))


def record_on_cuda(
    compute: Losses, model: nn.Module, inputs: Tensor, tags: Tags, pool: object
) -> Losses:
    """Record losses and their gradients.

    Args:
        compute: Losses of a batch.
        model: Whose parameters these train.
        inputs: Images of a batch, (B, 3, S, S).
        tags: Of these.
        pool: Memory that recordings share: they are replayed one at a time, and what one leaves,
            gradients, is used up before the next.
    """
    device = inputs.device
    room = LossRoom(compute, model, autocast_dtype(device.type))
    static = tuple(tensor.clone() for tensor in (inputs, tags.classes, tags.present))
    # Recording draws dropout masks for steps that never are: this step's come after it.
    state = torch.cuda.get_rng_state(device)
    # Backward passes are outside autocast, as in any other step.
    with torch.autocast(device.type, enabled=False):
        replay = torch.cuda.make_graphed_callables(room, static, allow_unused_input=True, pool=pool)
    torch.cuda.set_rng_state(state, device)

    def losses(inputs: Tensor, tags: Tags) -> dict[str, Tensor]:
        # Copies, since the next replay writes to the same memory, and logs are read later.
        found = replay(inputs, tags.classes, tags.present)
        return {name: loss.clone() for name, loss in found.items()}

    return losses


def _check(model: nn.Module, runner: Runner) -> None:
    if not isinstance(model, TrainedSegmentor):
        raise BadInput(
            f'GraphHook records the steps of ExCEL or WeCLIP, not of a {type(model).__name__}: '
            'leave it out of custom_hooks.'
        )
    accumulated = (runner.cfg.get('optim_wrapper') or {}).get('accumulative_counts', 1)
    if accumulated != 1:
        raise BadInput(
            f'optim_wrapper.accumulative_counts is {accumulated}, but with GraphHook every '
            'iteration uses the memory of its gradients again: set it to 1, or leave GraphHook out.'
        )
    if runner.train_dataloader.pin_memory:
        raise BadInput(
            'train_dataloader.pin_memory is True, but while GraphHook records, no other thread '
            'may ask CUDA for memory: leave it out. The model pins its batches itself.'
        )
