"""RunGuardHook: only checkpoints that fit are loaded, and a run goes on as itself."""

from __future__ import annotations

import json
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel
from mmengine.registry import HOOKS
from mmengine.runner import BaseLoop, Runner
from torch import Tensor, nn

from ..models.tag_segmentor import TagSegmentor
from ..utils.checkpoints import check_tensors, naming, read_tensors
from ..utils.checks import check_flag
from ..utils.distributed import unwrapped
from .claim import Claim, claim_run
from .recipe import recipe_of
from .resumable import check_optimizer


@HOOKS.register_module()
class RunGuardHook(Hook):
    """Checks what is loaded before MMEngine loads it, with any tool.

    Files are read as plain data first: MMEngine would run the code of a crafted one. A training
    has its work dir for itself, never overwrites another one, and resumes from the newest intact
    checkpoint *there*, by the recipe it began with.

    Args:
        allow_changes: Whether a run may be resumed by another recipe. Default: False.
    """

    priority = 'HIGHEST'

    def __init__(self, allow_changes: bool = False) -> None:
        check_flag('default_hooks.guard.allow_changes', allow_changes)
        self._claim: Claim | None = None

    def before_run(self, runner: Runner) -> None:
        """Check what is about to be loaded."""
        if not isinstance(runner._train_loop, BaseLoop):  # a test
            check_weights(runner)
            return
        self._claim = claim_run(runner.cfg, runner.work_dir, runner._resume, runner._load_from)
        for note in self._claim.notes:
            runner.logger.info(note)
        if self._claim.checkpoint:
            runner._load_from = str(self._claim.checkpoint)
            check_weights(runner)
        if self._claim.optimizer:
            check_optimizer(runner.optim_wrapper.optimizer, self._claim.optimizer)

    def after_run(self, runner: Runner) -> None:
        """Let others train here."""
        self._claim = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Write the recipe down; as text, so that whatever it holds is plain data."""
        checkpoint['meta']['recipe'] = json.dumps(recipe_of(runner.cfg, runner.seed))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Drop what MMEngine would run as code or follow out of the work dir on resume."""
        if not runner._resume:
            return
        checkpoint['meta'].pop('config', None)
        info = checkpoint['message_hub']['runtime_info']
        kept = info.get('keep_ckpt_ids')
        info['keep_ckpt_ids'] = [n for n in kept if type(n) is int] if type(kept) is list else []
        for name in [name for name in info if name.startswith(('best_ckpt', 'last_ckpt'))]:
            info[name] = str(Path(runner.work_dir) / Path(str(info[name])).name)


def check_weights(runner: Runner) -> None:
    """Refuse a checkpoint to load that cannot be read or does not fit the model.

    Raises:
        FileNotFoundError: It does not exist.
        BadInput: Says which tensor is wrong, and how.
    """
    if runner._load_from is None or runner._has_loaded:
        return
    state = read_tensors(runner._load_from)
    model = _innermost(runner.model)
    with naming(runner._load_from):
        if isinstance(model, TagSegmentor):
            model.check_checkpoint(state)
        elif not isinstance(runner._train_loop, BaseLoop):
            # Trainings of others may begin with a part of a checkpoint, tests may not.
            check_tensors(state, _without_counters(model, state), whole=True)


def _innermost(model: nn.Module) -> nn.Module:
    """The segmentor, without what distributes it or makes views for it."""
    model = unwrapped(model)
    return model.module if isinstance(model, BaseTTAModel) else model


def _without_counters(model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A model's tensors, but for counters of batches that old checkpoints lack."""
    return {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name in state or not name.endswith('num_batches_tracked')
    }
