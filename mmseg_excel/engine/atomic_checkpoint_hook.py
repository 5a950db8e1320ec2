"""AtomicCheckpointHook: a checkpoint is wholly there or not at all, and one always is."""

from __future__ import annotations

from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ..utils.atomic import write_atomically
from ..utils.bad_input import BadInput
from ..utils.checks import check_flag, check_keys, check_text, check_whole, in_one_line, shown

_ATOMIC = dict(backend='atomic')
_FLAGS = ('by_epoch', 'save_optimizer', 'save_param_scheduler', 'save_last')
_WHOLE = dict(interval='[-1, 1e9]', max_keep_ckpts='[-1, 1e9]', save_begin='[0, 1e9]')
_BEST = ('save_best', 'rule', 'greater_keys', 'less_keys', 'published_keys')


class _AtomicBackend(LocalBackend):
    """Local files that are wholly there or not at all."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        write_atomically(filepath, obj)


register_backend('atomic', _AtomicBackend, force=True)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook`` for local files, of which a killed run leaves none half.

    MMEngine writes in place, and deletes an outdated checkpoint before it writes the new one; here
    files are renamed when they are whole, and only then the outdated one goes.

    Args:
        **settings: Of ``CheckpointHook``, but for names and storage: runs are resumed from local
            files named ``iter_N.pth`` or ``epoch_N.pth``.

    Raises:
        BadInput: There is no such setting, or it cannot have this value.
    """

    def __init__(self, **settings) -> None:
        _check_settings(settings)
        try:
            super().__init__(**settings)
        except (AssertionError, TypeError, ValueError, KeyError) as error:
            raise BadInput(
                f'AtomicCheckpointHook cannot keep the best checkpoints by {_shown(settings)}: '
                f'{in_one_line(error)}.'
            ) from error

    def before_train(self, runner: Runner) -> None:
        """Find the folder."""
        super().before_train(runner)
        self.backend_args = dict(_ATOMIC)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        kept = [*runner.message_hub.runtime_info.get('keep_ckpt_ids', []), step]
        kept = list(dict.fromkeys(kept))
        folder = Path(self.out_dir)
        self.last_ckpt = str(folder / self.filename_tmpl.format(step))
        # In the checkpoint too: what is outdated but for a kill goes when the run is resumed.
        runner.message_hub.update_info('keep_ckpt_ids', kept)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            Path(self.last_ckpt).name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=dict(_ATOMIC),
        )
        if is_main_process():
            write_atomically(Path(runner.work_dir) / 'last_checkpoint', self.last_ckpt.encode())
        self._delete_outdated(runner, folder, kept)

    def _delete_outdated(self, runner: Runner, folder: Path, kept: list[int]) -> None:
        if self.max_keep_ckpts <= 0:
            return
        if is_main_process():
            for outdated in kept[: -self.max_keep_ckpts]:
                (folder / self.filename_tmpl.format(outdated)).unlink(missing_ok=True)
        runner.message_hub.update_info('keep_ckpt_ids', kept[-self.max_keep_ckpts :])


def _check_settings(settings: dict) -> None:
    check_keys('AtomicCheckpointHook', settings, (*_WHOLE, *_FLAGS, 'out_dir', *_BEST))
    for name in settings:
        setting, value = f'AtomicCheckpointHook.{name}', settings[name]
        if name in _FLAGS:
            check_flag(setting, value)
        elif name in _WHOLE:
            check_whole(setting, value, _WHOLE[name])
        elif value is not None:
            for text in value if name in _BEST and isinstance(value, list | tuple) else [value]:
                check_text(setting, str(text) if isinstance(text, Path) else text)


def _shown(settings: dict) -> str:
    return ', '.join(f'{name}={shown(settings[name])}' for name in _BEST if name in settings)
