"""Class names for command lines."""

from __future__ import annotations

from ..text.vocabulary import get_vocabulary
from .lists import read_list


def class_names(spec: str) -> tuple[str, ...]:
    """Foreground class names of ``'voc'``, ``'coco'``, ``'toy'``, or of a text file, one a line.

    Raises:
        FileNotFoundError: there is no such text file.
        ValueError: it is no text file and no known name.
    """
    return tuple(read_list(spec)) if spec.endswith('.txt') else get_vocabulary(spec).classes
