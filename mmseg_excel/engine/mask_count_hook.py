"""MaskCountHook: which masks a training opened, noted where files are opened."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

from ..utils.atomic import write_atomically

MASKS_OPENED = 'masks_opened.json'
_SUFFIX = '.png'


@HOOKS.register_module()
class MaskCountHook(Hook):
    """Notes the masks that a training opens, in ``masks_opened.json`` of the work dir.

    Tags are all that training may see. Python tells of every file that is opened
    (``sys.addaudithook``); the hook is made before data workers are forked, so that their files
    count, too. Masks of training images, of which there must be none, are told from those of
    validation images, which are opened to evaluate and to draw. The names are written with every
    checkpoint; a resumed training adds to them.
    """

    def __init__(self) -> None:
        self._opened = Opened()
        self._before: dict[str, list[str]] = {}

    def before_train(self, runner: Runner) -> None:
        """Read what an interrupted training noted."""
        path = Path(runner.work_dir) / MASKS_OPENED
        self._before = json.loads(path.read_text()) if path.is_file() else {}

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Write what was noted so far."""
        self.after_train(runner)

    def after_train(self, runner: Runner) -> None:
        """Write what was noted."""
        if not is_main_process():
            return
        loaders = [runner.train_dataloader, getattr(runner.val_loop, 'dataloader', None)]
        datasets = [loader.dataset for loader in loaders if loader is not None]
        folders = {folder for dataset in datasets for folder in _mask_folders(dataset)}
        training = set(_names(datasets[0]))
        paths = self._opened.paths()
        masks = {_stem(path) for path in paths if os.path.dirname(path) in folders}
        noted = dict(of_training_images=masks & training, of_other_images=masks - training)
        total = {
            kind: sorted(names | {*self._before.get(kind, ())}) for kind, names in noted.items()
        }
        content = (json.dumps(total) + '\n').encode()
        write_atomically(Path(runner.work_dir) / MASKS_OPENED, content)


class Opened:
    """Paths of the images without loss that this process and those forked from it open."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()
        sys.addaudithook(self._note)

    def _note(self, event: str, args: tuple) -> None:
        if event == 'open' and isinstance(args[0], str | os.PathLike):
            path = os.fspath(args[0])
            if isinstance(path, str) and path.endswith(_SUFFIX):
                # One system call appends a line as a whole, whatever other processes do.
                os.write(self._file.fileno(), f'{os.path.realpath(path)}\n'.encode())

    def paths(self) -> list[str]:
        """What was opened, as often as it was."""
        size = os.lseek(self._file.fileno(), 0, os.SEEK_END)
        return os.pread(self._file.fileno(), size, 0).decode().splitlines()


def _mask_folders(dataset) -> Iterator[str]:
    """Where masks of a data set are, by its settings or by the folder's name."""
    prefixes = getattr(dataset, 'data_prefix', None) or {}
    if prefixes.get('seg_map_path'):
        yield os.path.realpath(prefixes['seg_map_path'])
    root = Path(getattr(dataset, 'data_root', None) or '.')
    for folder in root.glob('SegmentationClass*'):
        yield os.path.realpath(folder)


def _names(dataset) -> Iterator[str]:
    for index in range(len(dataset)):
        yield _stem(dataset.get_data_info(index)['img_path'])


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]
