"""Lists of class names: the same names in another order are other classes."""

from __future__ import annotations

from collections.abc import Sequence

from .bad_input import BadInput
from .checks import shown


def check_same_classes(whose: str, names: Sequence[str], own: Sequence[str]) -> None:
    """Refuse class names that are not the model's, name by name.

    Args:
        whose: Who has the names, for the message: ``'The training data set'``.
        names: Its foreground classes.
        own: Those of the model's text head.

    Raises:
        BadInput: Names the first position that differs, and both names there.
    """
    difference = first_different_name(names, own)
    if difference:
        raise BadInput(
            f'{whose} has other classes than model.text_head.vocabulary: {difference}. Give both '
            'the same names in the same order.'
        )


def first_different_name(names: Sequence[str], own: Sequence[str]) -> str | None:
    """Where two lists of names first differ, as half a sentence; None if they do not."""
    for position, (name, own_name) in enumerate(zip(names, own, strict=False), start=1):
        if name != own_name:
            return f'class {position} is {shown(name)} there and {shown(own_name)} in the model'
    if len(names) != len(own):
        return f'there are {len(names)} classes there and {len(own)} in the model'
    return None
