"""PASCAL VOC's colours, for any number of classes."""

from __future__ import annotations

import functools
from typing import Any

from ..utils.bad_input import BadInput
from ..utils.checks import is_list, shown


def voc_palette(num_colours: int = 256) -> list[list[int]]:
    """The first ``num_colours`` RGB colours of PASCAL VOC's palette.

    The bits of an index, taken three at a time, fill the colour's bits from the highest down: 0 is
    black, 1 dark red, 255 the pale grey of ignored borders.
    """
    return [list(_colour(index)) for index in range(num_colours)]


def check_colours(setting: str, colours: Any, most: int = 256) -> None:
    """Refuse what is no list of RGB colours.

    Raises:
        BadInput: Names the setting and its value.
    """
    if not is_list(colours) or len(colours) > most or not all(map(_is_colour, colours)):
        raise BadInput(
            f'{setting} is {shown(colours)}, but must be a list of RGB colours, at most {most}.'
        )


def _is_colour(colour: Any) -> bool:
    return (
        is_list(colour)
        and len(colour) == 3
        and all(type(level) is int and 0 <= level <= 255 for level in colour)
    )


@functools.cache
def _colour(index: int) -> tuple[int, ...]:
    return tuple(_channel(index >> shift) for shift in range(3))


def _channel(bits: int) -> int:
    """Every third bit of ``bits``, lowest first, into a byte's bits from the highest down."""
    return sum((bits >> 3 * place & 1) << 7 - place for place in range(8))
