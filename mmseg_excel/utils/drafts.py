"""Drafts: files and folders that become something or vanish, however their process ends.

A process holds a lock on each of its drafts for as long as it lives. What a killed one left is
thus known by being unlocked, and is removed by whoever writes in the same place next.
"""

from __future__ import annotations

import fcntl
import functools
import os
import re
import shutil
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_DRAFT = re.compile(r'\..+\.[0-9a-f]{8}\.tmp')
_SECONDS_TO_LOCK = 2  # far longer than it takes from making a draft to locking it


@contextmanager
def draft_file(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path``, locked; gone afterwards unless it was renamed."""
    _remove_abandoned(path.parent)
    draft = path.with_name(f'.{path.name}.{uuid.uuid4().hex[:8]}.tmp')
    try:
        with draft.open('xb') as file:
            _lock(file.fileno())
            yield draft
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def draft_folder(parent: Path, name: str) -> Iterator[Path]:
    """A temporary folder ``.name.*.tmp`` in ``parent``, locked; gone afterwards unless renamed.

    While it exists, SIGTERM ends the process by ``SystemExit``, which removes it, too.
    """
    _remove_abandoned.__wrapped__(parent)
    draft = parent / f'.{name}.{uuid.uuid4().hex[:8]}.tmp'
    draft.mkdir()
    lock = os.open(draft, os.O_RDONLY)
    try:
        _lock(lock)
        with termination_raises():
            yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        os.close(lock)


@functools.cache  # once a folder and process: the folder may hold a hundred thousand files
def _remove_abandoned(folder: Path) -> None:
    with os.scandir(folder) as entries:
        drafts = [entry.path for entry in entries if _DRAFT.fullmatch(entry.name)]
    for draft in drafts:
        with suppress(OSError):  # another process was faster, or may not
            if time.time() - os.stat(draft).st_mtime > _SECONDS_TO_LOCK and _is_unlocked(draft):
                shutil.rmtree(draft) if os.path.isdir(draft) else os.unlink(draft)


def _is_unlocked(path: str) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock a file or folder for this process; False if another has, or locks are not to be had."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def termination_raises() -> Iterator[None]:
    """Let SIGTERM raise ``SystemExit``, so that what is underway is cleaned up."""
    in_charge = threading.current_thread() is threading.main_thread()
    if not in_charge or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, _frame: object) -> None:
    sys.exit(128 + number)
