"""PASCAL VOC's colours, for any number of classes."""

from __future__ import annotations

import functools


def voc_palette(num_colours: int = 256) -> list[list[int]]:
    """The first ``num_colours`` RGB colours of PASCAL VOC's palette.

    The bits of an index, taken three at a time, fill the colour's bits from the highest down: 0 is
    black, 1 dark red, 255 the pale grey of ignored borders.
    """
    return [list(_colour(index)) for index in range(num_colours)]


@functools.cache
def _colour(index: int) -> tuple[int, ...]:
    return tuple(_channel(index >> shift) for shift in range(3))


def _channel(bits: int) -> int:
    """Every third bit of ``bits``, lowest first, into a byte's bits from the highest down."""
    return sum((bits >> 3 * place & 1) << 7 - place for place in range(8))
