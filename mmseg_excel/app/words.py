"""Names as people type them."""

from __future__ import annotations

import unicodedata

from ..utils.bad_input import BadInput
from ..utils.checks import shown

MAX_LENGTH = 80


def parse_names(text: str, what: str, most: int) -> tuple[str, ...]:
    """Names separated by commas or line ends, each once, in the order they were typed.

    Args:
        text: What was typed.
        what: What is named, for the error: ``'class'``.
        most: Names allowed.

    Raises:
        BadInput: If there are too many names, or one is too long or no text.
    """
    if not isinstance(text, str):
        raise BadInput(f'The {what} names are {shown(text)}, but must be text.')
    parts = (' '.join(part.split()) for part in text.replace('\n', ',').split(','))
    names = tuple(dict.fromkeys(part for part in parts if part))
    if len(names) > most:
        raise BadInput(f'{len(names)} {what} names are too many: type at most {most}.')
    for name in names:
        if len(name) > MAX_LENGTH:
            raise BadInput(
                f'The {what} name “{name[:20]}…” is longer than {MAX_LENGTH} characters: separate '
                'names by commas.'
            )
        # Control characters and halves of surrogate pairs.
        if any(unicodedata.category(letter) in ('Cc', 'Cs') for letter in name):
            raise BadInput(f'The {what} name {name!r} holds what is no letter: type it again.')
    return names
