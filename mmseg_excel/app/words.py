"""Names as people type them."""

from __future__ import annotations

MAX_LENGTH = 80


def parse_names(text: str, what: str, most: int) -> tuple[str, ...]:
    """Names separated by commas or line ends, each once, in the order they were typed.

    Args:
        text: What was typed.
        what: What is named, for the error: ``'class'``.
        most: Names allowed.

    Raises:
        ValueError: If there are too many names, or one is too long.
    """
    parts = (' '.join(part.split()) for part in text.replace('\n', ',').split(','))
    names = tuple(dict.fromkeys(part for part in parts if part))
    if len(names) > most:
        raise ValueError(f'{len(names)} {what} names are too many: type at most {most}.')
    for name in names:
        if len(name) > MAX_LENGTH:
            raise ValueError(
                f'The {what} name “{name[:20]}…” is longer than {MAX_LENGTH} characters: separate '
                'names by commas.'
            )
    return names
