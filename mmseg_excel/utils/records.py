"""Records: what made a folder of files, so that files made in different ways are never mixed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from mmengine.dist import broadcast_object_list, is_main_process

from .atomic import write_atomically
from .bad_input import BadInput
from .checks import check_path, shown
from .plain import plain

SUFFIX = '.made_with.json'
_ABSENT = object()


def record_path(folder: str | Path) -> Path:
    """Where the record of a folder is: beside it, as what reads the folder expects images alone.

    Example:
        >>> record_path('out/labels')
        Path('/home/me/out/labels.made_with.json')
    """
    folder = Path(os.path.abspath(folder))
    return folder.with_name(folder.name + SUFFIX) if folder.name else folder / SUFFIX


def claim(folder: str | Path, made_with: Mapping[str, object]) -> None:
    """Make a folder this run's, or find that it is; several processes claim it together.

    Args:
        folder: Of the PNGs to come; made if needed. Without a PNG, it is free.
        made_with: All that decides what the files will be; see :func:`~.plain.plain`.

    Raises:
        BadInput: The folder cannot be written, or holds PNGs that were made in another way or are
            of unknown origin; in all processes alike. Names the first setting that differs.
    """
    check_path('The folder of the images', folder)
    folder = Path(folder)
    _in_main_process(lambda: _claim(folder, plain(made_with)))


def first_difference(there: object, here: object) -> tuple[str, object, object] | None:
    """The first setting in which two plain values differ: its dotted name and both values."""
    return next(_differences(there, here, ''), None)


def told(difference: tuple[str, object, object]) -> str:
    """Tell a difference as half a sentence: `crf.iterations` was 10 and now is 5."""
    name, there, here = difference
    there, here = ('absent' if value is _ABSENT else shown(value) for value in (there, here))
    return f'{name} was {there} and now is {here}'


def _claim(folder: Path, made_with: object) -> None:
    record = record_path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if next(folder.rglob('*.png'), None) is None:
            content = json.dumps(made_with, indent=1, sort_keys=True) + '\n'
            write_atomically(record, content.encode())
            return
    except OSError as error:
        raise BadInput(
            f"'{folder}' and its record '{record}' cannot be written ({error.strerror}): choose "
            'another folder.'
        ) from None
    difference = first_difference(_read(record, folder), made_with)
    if difference:
        raise BadInput(
            f"'{folder}' holds images made in another way: {told(difference)} (see '{record}'). "
            'Choose another folder, or empty this one.'
        )


def _read(record: Path, folder: Path) -> object:
    try:
        if record.is_file():  # reading a pipe would wait for ever
            return json.loads(record.read_bytes())
    except (OSError, ValueError, RecursionError):
        pass
    raise BadInput(
        f"'{folder}' holds images of unknown origin, as there is no readable record '{record}': "
        'choose another folder, or empty this one.'
    )


def _differences(there: object, here: object, name: str) -> Iterator[tuple[str, object, object]]:
    pairs = _pairs(there, here)
    if pairs is None:
        if there != here or isinstance(there, bool) != isinstance(here, bool):
            yield name or 'the record', there, here
        return
    for key, before, after in pairs:
        yield from _differences(before, after, f'{name}.{key}' if name else str(key))


def _pairs(there: object, here: object) -> list[tuple[object, object, object]] | None:
    """The parts of two dicts, or of two lists of one length, side by side."""
    if isinstance(there, dict) and isinstance(here, dict):
        return [
            (key, there.get(key, _ABSENT), here.get(key, _ABSENT))
            for key in sorted(there.keys() | here.keys())
        ]
    if isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        return list(zip(range(len(there)), there, here, strict=True))
    return None


def _in_main_process(act: Callable[[], None]) -> None:
    """Act in the main process alone; its refusal is everybody's, so that nobody waits for it."""
    refusal: list[Exception | None] = [None]
    if is_main_process():
        try:
            act()
        except Exception as error:
            refusal = [error]
    broadcast_object_list(refusal)
    if refusal[0] is not None:
        raise refusal[0]
