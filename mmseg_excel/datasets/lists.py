"""List files: one image name per line, without suffix."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ..utils.atomic import write_atomically
from ..utils.bad_input import BadInput
from ..utils.checks import shown
from ..utils.problems import Problems
from ..utils.text_file import read_text


def read_list(path: str | Path, what: str = 'list of images') -> list[str]:
    """The lines of a list file, blank ones left out.

    Args:
        path: The file.
        what: What it lists, for messages.

    Raises:
        FileNotFoundError: there is no such file.
        BadInput: it is not text, or lists nothing.
    """
    names = [line.strip() for line in read_text(path, what).splitlines() if line.strip()]
    if not names:
        raise BadInput(f"'{path}' is an empty {what}: write a name in each line.")
    return names


def write_list(path: str | Path, names: Iterable[str]) -> None:
    """Write a list file, whole or not at all."""
    write_atomically(path, ''.join(f'{name}\n' for name in names).encode())


def usable_names(names: Iterable[str], problems: Problems) -> list[str]:
    """The names that stay inside the image folder, each once; the others become problems."""
    usable: dict[str, str] = {}
    for name in names:
        plain = plain_name(name)
        if leaves_folder(name):
            problems.add('lines that leave the image folder', repr(name))
        elif not name.isprintable():
            problems.add('lines that are no file name', shown(name))
        elif plain in usable:
            problems.add('images listed twice', _twice(usable[plain], name))
        else:
            usable[plain] = name
    return list(usable)


def plain_name(name: str) -> str:
    """The one spelling of a path: ``'./cats//one'`` is ``'cats/one'``."""
    return str(PurePosixPath(name))


def leaves_folder(name: str) -> bool:
    """Whether a relative file name is absolute or climbs out of its folder.

    Lexical on purpose: a link inside the folder may point anywhere.
    """
    path = PurePosixPath(name.replace('\\', '/'))
    return path.is_absolute() or '..' in path.parts


def _twice(first: str, second: str) -> str:
    return first if first == second else f'{first} and {second}'
