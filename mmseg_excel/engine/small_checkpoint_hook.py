"""SmallCheckpointHook: checkpoints that hold what was trained; the rest lies beside them."""

from __future__ import annotations

import io
from pathlib import Path

import mmengine
import mmseg
import numpy as np
import open_clip
import torch
from mmengine.dist import master_only
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import HistoryBuffer
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ..utils.atomic import write_atomically
from ..utils.bad_input import BadInput
from ..utils.checkpoints import read_checkpoint
from ..utils.distributed import unwrapped
from ..version import __version__


@HOOKS.register_module()
class SmallCheckpointHook(Hook):
    """Keeps the optimiser and the logged history out of the checkpoint, and provenance in it.

    They are three quarters of the bytes and serve resuming alone: they go to
    ``resume_<iteration>.pth`` beside the checkpoint, of which the last two are kept, and come
    back from there on resume. ``meta['excel']`` tells CLIP, classes, text settings and versions.
    What remains is plain data, which ``torch.load(..., weights_only=True)`` reads.
    """

    KEPT_FILES = 2
    KEPT_HISTORY = 1000

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Split the checkpoint."""
        checkpoint['meta']['excel'] = _provenance(runner)
        hub = checkpoint['message_hub']
        history = hub['log_scalars']
        checkpoint['message_hub'] = dict(
            log_scalars={},
            runtime_info=_plain(hub['runtime_info']),
            resumed_keys=hub['resumed_keys'],
        )
        if 'optimizer' not in checkpoint:  # the best one, which nobody resumes
            return
        resume_state = dict(
            optimizer=checkpoint.pop('optimizer'),
            log_scalars={name: self._as_lists(buffer) for name, buffer in history.items()},
        )
        self._write(checkpoint_folder(runner), checkpoint['meta']['iter'], resume_state)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the checkpoint together again when a run is resumed."""
        if not runner._resume or 'optimizer' in checkpoint:
            return
        folder = Path(runner._load_from).parent if runner._load_from else Path(runner.work_dir)
        state = read_resume_file(folder, checkpoint['meta']['iter'])
        checkpoint['optimizer'] = state['optimizer']
        checkpoint['message_hub']['log_scalars'] = {
            name: HistoryBuffer(values, counts)
            for name, (values, counts) in state['log_scalars'].items()
        }

    def _as_lists(self, buffer: HistoryBuffer) -> tuple[list[float], list[float]]:
        values, counts = buffer.data
        return values[-self.KEPT_HISTORY :].tolist(), counts[-self.KEPT_HISTORY :].tolist()

    @master_only
    def _write(self, folder: Path, iteration: int, state: dict) -> None:
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(_resume_file(folder, iteration), buffer.getvalue())
        written = {int(path.stem.removeprefix('resume_')): path for path in _resume_files(folder)}
        # What lies ahead is of a course that was not resumed from.
        kept = sorted(number for number in written if number <= iteration)[-self.KEPT_FILES :]
        for outdated in written.keys() - set(kept):
            written[outdated].unlink()


def checkpoint_folder(runner: Runner) -> Path:
    """Where the checkpoints of a run go: its work dir, unless its checkpoint hook knows better."""
    hooks = (hook for hook in runner.hooks if isinstance(hook, CheckpointHook))
    return Path(next((hook.out_dir for hook in hooks if hook.out_dir), runner.work_dir))


def read_resume_file(folder: Path, iteration: int) -> dict:
    """The optimiser and the logged history of a checkpoint, from beside it.

    Raises:
        FileNotFoundError: The file is missing.
        BadInput: It is none or a damaged one.
    """
    path = _resume_file(folder, iteration)
    if not path.is_file():
        raise FileNotFoundError(
            f"'{path}' is missing, without which the optimiser of iteration {iteration} cannot be "
            'resumed: resume from a checkpoint that has its resume file, or start anew with '
            'load_from.'
        )
    state = read_checkpoint(path)
    if not isinstance(state, dict) or {'optimizer', 'log_scalars'} - state.keys():
        raise BadInput(f"'{path}' holds no optimiser: give back the file that was written there.")
    return state


def _plain(values: dict) -> dict:
    """Replace NumPy's scalars by Python's."""
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in values.items()}


def _resume_file(folder: Path, iteration: int) -> Path:
    return folder / f'resume_{iteration}.pth'


def _resume_files(folder: Path) -> list[Path]:
    return [path for path in folder.glob('resume_*.pth') if path.stem[7:].isdecimal()]


def package_versions() -> dict[str, str]:
    """Versions of what computes."""
    return dict(
        mmseg_excel=__version__,
        torch=str(torch.__version__),
        mmengine=mmengine.__version__,
        mmseg=mmseg.__version__,
        open_clip=open_clip.__version__,
    )


def _provenance(runner: Runner) -> dict:
    model = unwrapped(runner.model)
    return model.provenance() | dict(versions=package_versions())
