"""Files that are either wholly there or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .bad_input import BadInput
from .checks import shown
from .drafts import draft_file
from .text_file import check_path


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file under a temporary name, then rename it; makes its directory if needed.

    Raises:
        BadInput: If the name is none, or that of a folder or a device.
        OSError: If the file cannot be written; names it.
    """
    check_path(path, 'file to write')
    path = Path(path)
    if path.exists() and not path.is_file():  # a device would be replaced by a file
        raise BadInput(f"'{path}' is a folder, a device or a pipe: name a file to write.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming_place(path), draft_file(path) as draft:
        draft.write_bytes(content)
        os.replace(draft, path)


@contextmanager
def naming_place(path: str | Path) -> Iterator[None]:
    """Let errors of files say where they happened: those of full disks do not know."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None


def check_writable(path: str | Path) -> None:
    """Refuse a name under which no file can be written; before long work, not after it.

    Raises:
        BadInput: Names the path and the reason.
    """
    check_path(path, 'file to write')
    path = Path(path)
    try:
        taken = path.exists() and not path.is_file()
        folder = next(place for place in path.absolute().parents if place.exists())
        with tempfile.NamedTemporaryFile(dir=folder, prefix=f'.{path.name}.'):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise BadInput(
            f'{shown(str(path), 200)} cannot be written ({reason}): give a file in a folder that '
            'can be written to.'
        ) from None
    if taken:
        raise BadInput(f"'{path}' is no file: give the name of a file to write.")
