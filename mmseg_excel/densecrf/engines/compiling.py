"""Compilation at first use, kept for the next process."""

from __future__ import annotations

from collections.abc import Callable

from numba import njit


def compiled(function: Callable) -> Callable:
    """Let numba compile a function.

    The result is kept beside the source or in the user's cache, where either can be written. Numba
    looks at the date of the function's own file alone: whoever changes a function that others of
    other files call has to remove ``__pycache__``.
    """
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither can be written
        return njit(nogil=True)(function)
