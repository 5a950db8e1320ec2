"""A work dir: one training at a time, its checkpoints, and what killed trainings left in it."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakValueDictionary

from mmengine.dist import is_main_process

from ..utils.bad_input import BadInput

_LOCK = '.training'
_CHECKPOINT = re.compile(r'(?:iter|epoch)_(\d+)\.pth')
# As write_atomically names files that are not whole yet.
_LEFTOVER = re.compile(r'\..+\.[0-9a-f]{8}')

_held: WeakValueDictionary[tuple[int, Path], WorkDirLock] = WeakValueDictionary()


class WorkDirLock:
    """Keeps other trainings out of a folder while it lives; the end of the process frees it.

    Args:
        folder: Work dir; is made.

    Raises:
        BadInput: Another process trains there.
        OSError: The folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = open(folder / _LOCK, 'a+')
        try:
            # Of this process alone: forked data workers that outlive it hold no lock.
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            self._file.seek(0)
            holder = self._file.read(20).strip()
            raise BadInput(
                f"Another training (process {holder or 'unknown'}) is at work in '{folder}': wait "
                'for it, stop it, or give another --work-dir.'
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()


def lock_work_dir(folder: Path) -> WorkDirLock:
    """The lock of a work dir; the same one if this process holds it already."""
    key = (os.getpid(), folder.resolve())
    lock = _held.get(key)
    if lock is None:
        lock = _held[key] = WorkDirLock(folder)
    return lock


@contextmanager
def gone_if_refused(folder: str | Path, new: bool) -> Iterator[None]:
    """Remove a claimed work dir that was not there before, if the set-up fails.

    Args:
        folder: Work dir, locked by this process.
        new: Whether it was made for this training.
    """
    try:
        yield
    except BaseException:
        if new and is_main_process():
            shutil.rmtree(folder, ignore_errors=True)
        raise


def checkpoints_in(folder: Path) -> list[Path]:
    """Checkpoints of a training, the newest first."""
    numbered = [(_CHECKPOINT.fullmatch(path.name), path) for path in folder.glob('*.pth')]
    found = [(int(match[1]), path) for match, path in numbered if match]
    return [path for _, path in sorted(found, reverse=True)]


def remove_leftovers(folder: Path) -> None:
    """Remove files that a killed training had not finished writing."""
    for path in folder.iterdir():
        if _LEFTOVER.fullmatch(path.name):
            path.unlink(missing_ok=True)
