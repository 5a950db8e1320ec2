"""Settings are checked where they enter, in the constructor of whoever owns them."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeGuard

from .bad_input import BadInput

LONGEST_NAME = 255  # of a file in a folder, on all usual file systems


def check_number(setting: str, value: Any, interval: str) -> None:
    """Refuse what is no finite number of an interval.

    Args:
        setting: Name for the message, as it stands in a config: ``'SVCNeck.num_layers'``.
        value: Its value. True and False are no numbers.
        interval: In mathematical notation: ``'(0, 1]'``, ``'[0, inf)'``.

    Raises:
        BadInput: Names setting, value and interval.

    Example:
        >>> check_number('AttributeTextHead.keep_ratio', 2, '(0, 1]')
        BadInput: AttributeTextHead.keep_ratio is 2, but must be a number in (0, 1].
    """
    good = _is_real(value) and -math.inf < value < math.inf
    if not good or not _contains(interval, value):
        raise BadInput(f'{setting} is {shown(value)}, but must be a number in {interval}.')


def check_whole(setting: str, value: Any, interval: str) -> None:
    """Refuse what is no whole number of an interval; see :func:`check_number`."""
    good = isinstance(value, Integral) and not isinstance(value, bool)
    if not good or not _contains(interval, value):
        raise BadInput(f'{setting} is {shown(value)}, but must be a whole number in {interval}.')


def check_flag(setting: str, value: Any) -> None:
    """Refuse what is neither True nor False.

    Raises:
        BadInput: Names setting and value.
    """
    if not isinstance(value, bool):
        raise BadInput(f'{setting} is {shown(value)}, but must be True or False.')


def check_choice(setting: str, value: Any, choices: Collection[str]) -> None:
    """Refuse what is none of some names.

    Raises:
        BadInput: Names setting, value and choices.
    """
    if not isinstance(value, str) or value not in choices:
        names = ', '.join(map(repr, choices))
        raise BadInput(f'{setting} is {shown(value)}, but must be one of {names}.')


def is_list(value: Any) -> TypeGuard[Sequence]:
    """Whether a value is a list or tuple; a string is none."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def check_sequence(setting: str, value: Any, length: int | None = None) -> None:
    """Refuse what is no list or tuple, or an empty one; a string is none.

    Args:
        setting: Name for the message.
        value: Its value.
        length: How many elements it must have. Default: any number but zero.

    Raises:
        BadInput: Names setting and value.
    """
    good = is_list(value) and len(value) > 0
    if not good or (length is not None and len(value) != length):
        wanted = 'a list' if length is None else f'a list of {length}'
        raise BadInput(f'{setting} is {shown(value)}, but must be {wanted}.')


def check_text(setting: str, value: Any) -> None:
    """Refuse what is no string, or a blank one.

    Raises:
        BadInput: Names setting and value.
    """
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f'{setting} is {shown(value)}, but must be a text that is not empty.')


def check_sentences(setting: str, value: Any) -> None:
    """Refuse what is no list of texts that can be written in UTF-8, or an empty list.

    Raises:
        BadInput: Names setting and value.
    """
    check_sequence(setting, value)
    for text in value:
        if not isinstance(text, str) or any('\ud800' <= letter <= '\udfff' for letter in text):
            raise BadInput(f'{setting} has {shown(text)}, but must be a list of texts.')


def check_folder_name(setting: str, value: Any) -> None:
    """Refuse what names no folder, there or not.

    Raises:
        BadInput: Names setting and value.
    """
    if not isinstance(value, str | Path) or not str(value) or '\0' in str(value):
        raise BadInput(f'{setting} is {shown(value)}, but must name a folder.')


def check_path(setting: str, value: Any) -> None:
    """Refuse what can name no file or folder.

    Raises:
        BadInput: Names setting and value.
    """
    text = os.fsdecode(value) if isinstance(value, str | os.PathLike) else ''
    if not text.strip() or '\0' in text or max(map(len, text.split('/'))) > LONGEST_NAME:
        raise BadInput(f'{setting} is {shown(value)}, but must be the path of a file or folder.')


def check_keys(setting: str, value: Any, known: Collection[str]) -> None:
    """Refuse what is no dict, or one with a key that nobody reads.

    Raises:
        BadInput: Names setting, key and the keys there are.
    """
    names = ', '.join(map(repr, known))
    if not isinstance(value, Mapping):
        raise BadInput(f'{setting} is {shown(value)}, but must be a dict of {names}.')
    unknown = [key for key in value if key not in known]
    if unknown:
        raise BadInput(f'{setting} has the key {shown(unknown[0])}, but may only have {names}.')


def shown(value: Any, most: int = 80) -> str:
    """A value as messages show it: in Python's notation, on one line, shortened."""
    try:
        text = ' '.join(repr(value).split())
    except ValueError:  # Python writes no integer of more than 4300 digits
        text = f'a huge {type(value).__name__}'
    return text if len(text) <= most else f'{text[:most]}...'


def in_one_line(error: Exception, most: int = 200) -> str:
    """What another library complains about, as part of a sentence."""
    return ' '.join(str(error).split())[:most].rstrip('. ')


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _contains(interval: str, value: float) -> bool:
    low, high = (float(bound) for bound in interval[1:-1].split(','))
    above = value >= low if interval[0] == '[' else value > low
    return above and (value <= high if interval[-1] == ']' else value < high)
