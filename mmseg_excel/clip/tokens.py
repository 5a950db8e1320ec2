"""How much of a text CLIP reads: its tokenizer cuts the rest off and says nothing."""

from __future__ import annotations

from functools import cache

CONTEXT_LENGTH = 77  # CLIP's, start and end tokens included
# No token is shorter than a byte, so shorter texts need not be counted.
_SURELY_WHOLE = CONTEXT_LENGTH - 2
_TOO_LONG_TO_COUNT = 10_000


def count_tokens(text: str) -> int:
    """CLIP tokens of a text, start and end tokens included."""
    return len(_tokenizer().encode(text)) + 2


def is_cut(text: str) -> bool:
    """Whether CLIP reads less than the whole text."""
    if len(text) > _TOO_LONG_TO_COUNT:
        return True
    return len(text.lower().encode()) > _SURELY_WHOLE and count_tokens(text) > CONTEXT_LENGTH


@cache
def _tokenizer():
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()
