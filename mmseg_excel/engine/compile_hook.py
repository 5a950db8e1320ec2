"""CompileHook: torch.compile where it helps."""

from __future__ import annotations

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmengine.utils import digit_version

from ..models.trained_segmentor import TrainedSegmentor
from ..utils.bad_input import BadInput
from ..utils.checks import shown
from ..utils.distributed import unwrapped

OLDEST_TORCH = '2.6'


@HOOKS.register_module()
class CompileHook(Hook):
    """Compiles adapter, decoder and an iteration of PAR, when training starts.

    Labels change by rounding only, and checkpoints not at all. CLIP is not compiled: its time is
    spent in matrix products.

    Args:
        **options: Of ``torch.compile``, for example ``mode='max-autotune'``.

    Raises:
        BadInput: ``torch.compile`` has no such option.
        ImportError: This PyTorch is older than 2.6: of 2.2, gradients of compiled rooms are wrong.

    Example:
        >>> custom_hooks.append(dict(type='CompileHook'))
    """

    def __init__(self, **options) -> None:
        check_torch()
        _check_options(options)
        self.options = options

    def before_train(self, runner: Runner) -> None:
        """Compile; the work is done in the first iteration."""
        compile_rooms(unwrapped(runner.model), **self.options)


def check_torch(version: str = torch.__version__) -> None:
    """Refuse a PyTorch whose compiler is not known to compute the right gradients."""
    if digit_version(version) < digit_version(OLDEST_TORCH):
        raise ImportError(
            f'CompileHook needs PyTorch {OLDEST_TORCH} or newer, but this is {version}, whose '
            'compiler is not known to compute the right gradients: update PyTorch, or train '
            'without CompileHook.'
        )


def _check_options(options: dict) -> None:
    try:
        torch.compile(torch.nn.Identity(), **options)  # compiles nothing yet
    except Exception as error:  # TypeError, RuntimeError, errors of torch._dynamo
        reason = ' '.join(str(error).split())[:200]
        raise BadInput(f'CompileHook cannot compile with {shown(options)}: {reason}') from error


def compile_rooms(model: TrainedSegmentor, **options) -> None:
    """Let ``torch.compile``, with its options, speed up a model in place."""
    if not isinstance(model, TrainedSegmentor):
        raise BadInput(
            f'CompileHook compiles the rooms of ExCEL or WeCLIP, not a {type(model).__name__}: '
            'leave it out of custom_hooks.'
        )
    neighbour_sum = model.pseudo_labeler.pixel_adaptive.neighbour_sum
    for room in (model.adapter, model.decode_head, neighbour_sum):
        room.compile(**options)
