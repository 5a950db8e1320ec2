"""Text files that users give: regular files of a sane size, in UTF-8."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from .bad_input import BadInput
from .checks import shown

MOST_BYTES = 64 << 20
_STRANGE = set('\0\n\r')


def check_path(path: object, what: str) -> None:
    """Refuse what names no file.

    Args:
        path: Name of the file.
        what: What it is the name of, for the message: ``'config'``.

    Raises:
        BadInput: It is no path, or has a line break or NUL in it.
    """
    good = isinstance(path, str | Path) and str(path) and not _STRANGE.intersection(str(path))
    if not good:
        article = 'An' if what[0] in 'aeiou' else 'A'
        raise BadInput(f'{article} {what} is given by the name of its file, not by {shown(path)}.')


def check_file(path: Any, what: str) -> int:
    """Refuse what is no regular file: reading a device or a pipe may never end.

    Args:
        path: Name of the file.
        what: What it should be, for the message: ``'config'``.

    Returns:
        Its size in bytes.

    Raises:
        FileNotFoundError: There is nothing of this name.
        BadInput: There is something else, or the name is none.
    """
    check_path(path, what)
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"There is no {what} '{path}': give a file that exists.") from None
    except (OSError, UnicodeEncodeError) as error:  # links in a circle, names without end
        reason = getattr(error, 'strerror', None) or error
        raise BadInput(
            f'The {what} {shown(str(path))} cannot be read ({reason}): give another file.'
        ) from None
    if stat.S_ISDIR(status.st_mode):
        raise BadInput(f"'{path}' is a folder, not a {what}: give a file.")
    if not stat.S_ISREG(status.st_mode):
        raise BadInput(f"'{path}' is a device or a pipe, not a {what}: give a regular file.")
    return status.st_size


def check_size(path: str | Path, what: str, most_bytes: int = MOST_BYTES) -> None:
    """Refuse what is no regular file of a sane size; see :func:`check_file`."""
    size = check_file(path, what)
    if size > most_bytes:
        raise BadInput(
            f"'{path}' has {size / 2**20:.3g} MiB, but a {what} has at most "
            f'{most_bytes / 2**20:.3g}.'
        )


def read_bytes(path: str | Path, what: str, most_bytes: int = MOST_BYTES) -> bytes:
    """Read a file that :func:`check_size` does not refuse."""
    check_size(path, what, most_bytes)
    return Path(path).read_bytes()


def read_text(path: str | Path, what: str) -> str:
    """Read a text file of at most 64 MiB, without the mark that spreadsheets put first.

    Arguments and errors as of :func:`check_file`.
    """
    content = read_bytes(path, what)
    try:
        return content.decode('utf-8-sig')
    except UnicodeDecodeError:
        raise BadInput(
            f"'{path}' is not UTF-8 text: it is no {what}, or must be saved as UTF-8."
        ) from None


def read_json(path: str | Path, what: str) -> object:
    """Read a JSON file, strictly: a key that stands twice, NaN and infinity are errors.

    Raises:
        FileNotFoundError: There is no such file.
        BadInput: It is no JSON file.
    """
    text = read_text(path, what)
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except RecursionError:
        raise BadInput(f"'{path}' is nested too deeply to be a {what}.") from None
    except ValueError as error:
        raise BadInput(f"'{path}' is not a JSON file: {error}.") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f'the key {key!r} stands twice in one object')
        content[key] = value
    return content


def _refuse(constant: str) -> None:
    raise ValueError(f'{constant} is no number of JSON')
