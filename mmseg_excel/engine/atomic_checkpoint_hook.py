"""AtomicCheckpointHook: a checkpoint is wholly there or not at all, and one always is."""

from __future__ import annotations

from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ..utils.atomic import write_atomically

_ATOMIC = dict(backend='atomic')


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
        **kwargs: Of ``CheckpointHook``.
    """

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
