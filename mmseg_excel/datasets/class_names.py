"""Names of classes."""

from __future__ import annotations

from collections.abc import Sequence

from ..text.vocabulary import get_vocabulary
from ..utils.bad_input import BadInput
from ..utils.checks import check_choice, check_sequence, shown
from .lists import read_list

#: A mask has 8 bits a pixel, of which 0 is background and 255 is ignored.
MOST_CLASSES = 254
LONGEST_NAME = 100
BUILT_IN = ('voc', 'coco', 'toy')


def class_names(spec: str) -> tuple[str, ...]:
    """Foreground class names of ``'voc'``, ``'coco'``, ``'toy'``, or of a text file, one a line.

    Raises:
        FileNotFoundError: there is no such text file.
        BadInput: it is no text file and no known name, or its lines are no class names.
    """
    if isinstance(spec, str) and spec.endswith('.txt'):
        names = tuple(read_list(spec, 'list of classes'))
        check_class_names(spec, names)
        return names
    check_choice('classes', spec, (*BUILT_IN, 'FILE.txt'))
    return get_vocabulary(spec).classes


def check_class_names(setting: str, names: Sequence[str]) -> None:
    """Refuse what are not the names of foreground classes.

    They are a list, at most ``MOST_CLASSES``, without background; each is a line of at most
    ``LONGEST_NAME`` characters, and two differ by more than case and blanks.

    Raises:
        BadInput: Names the setting and what is wrong with it.
    """
    check_sequence(setting, names)
    if len(names) > MOST_CLASSES:
        raise BadInput(
            f'{setting} has {len(names)} classes, but masks of 8 bits tell {MOST_CLASSES} and the '
            'background apart.'
        )
    seen: dict[str, str] = {}
    for name in names:
        key = _check_name(setting, name)
        if key in seen:
            raise BadInput(
                f'{setting} has {seen[key]!r} and {name!r}, but must be distinct names, by more '
                'than case and blanks.'
            )
        seen[key] = name


def some_names(names: Sequence[str], most: int = 20) -> str:
    """Names in a sentence: the first ones, and how many more there are."""
    rest = len(names) - most
    return ', '.join(names[:most]) + (f' and {rest} more' if rest > 0 else '')


def _check_name(setting: str, name: object) -> str:
    """Refuse a name; what must be unique about it."""
    if not isinstance(name, str) or not name or name != ' '.join(name.split()):
        raise BadInput(
            f'{setting} has {shown(name)}, but must be names without blanks at their ends or two '
            'in a row.'
        )
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise BadInput(
            f'{setting} has {shown(name, 40)}, but must be names of at most {LONGEST_NAME} '
            'printable characters.'
        )
    key = name.casefold().replace(' ', '')
    if key == 'background':
        raise BadInput(
            f'{setting} has {name!r}, but must leave out the background: it is always there.'
        )
    return key
