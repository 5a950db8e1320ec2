"""List files: one image name per line, without suffix."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ..utils.atomic import write_atomically
from ..utils.problems import Problems


def read_list(path: str | Path) -> list[str]:
    """The lines of a list file, blank ones left out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not text, or names no image.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'List file {path} does not exist.')
    try:
        lines = Path(path).read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError:
        raise ValueError(f'List file {path} is not UTF-8 text.') from None
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise ValueError(f'List file {path} names no image.')
    return names


def write_list(path: str | Path, names: Iterable[str]) -> None:
    """Write a list file, whole or not at all."""
    write_atomically(path, ''.join(f'{name}\n' for name in names).encode())


def usable_names(names: Iterable[str], problems: Problems) -> list[str]:
    """The names that stay inside the image folder, each once; the others become problems."""
    usable: dict[str, None] = {}
    for name in names:
        if leaves_folder(name):
            problems.add('lines that leave the image folder', repr(name))
        elif name in usable:
            problems.add('images listed twice', name)
        else:
            usable[name] = None
    return list(usable)


def leaves_folder(name: str) -> bool:
    """Whether a relative file name is absolute or climbs out of its folder.

    Lexical on purpose: a link inside the folder may point anywhere.
    """
    path = PurePosixPath(name.replace('\\', '/'))
    return path.is_absolute() or '..' in path.parts
