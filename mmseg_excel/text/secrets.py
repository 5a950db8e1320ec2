"""Keys that no file, log or message may hold, even if the server sends them back."""

from __future__ import annotations

import html
import logging
import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

# Servers that ask for no key are given any word: "none" and "x" may stand in sentences.
SHORTEST = 6
# Long keys are found in other spellings, too; a short one would be found in "photo llama".
LONG = 12
ENVIRONMENT = re.compile(r'OPENAI_\w*(KEY|SECRET|TOKEN|ID)')
STARS = '***'


class Secrets:
    """Finds keys in text.

    Args:
        *keys: Keys. Those in the environment, ``OPENAI_API_KEY`` and its like, are secret as well.
    """

    def __init__(self, *keys: str) -> None:
        kept = {value for name, value in os.environ.items() if ENVIRONMENT.fullmatch(name)}
        stripped = {key.strip() for key in {*keys, *kept}}
        self._keys = sorted((key for key in stripped if len(key) >= SHORTEST), key=len)[::-1]

    def are_in(self, text: str) -> bool:
        """Whether a text holds a key, also if quoted, percent-encoded or over several lines."""
        plain = html.unescape(unquote(text)).lower()
        return any(
            key.lower() in text.lower()
            or key.lower() in plain
            or (len(_squeezed(key)) >= LONG and _squeezed(key) in _squeezed(plain))
            for key in self._keys
        )

    def hidden(self, text: str) -> str:
        """The text with stars in place of keys; of a text that spells one oddly nothing is left."""
        for key in self._keys:
            text = text.replace(key, STARS)
        return f'{STARS} (a message that held the key)' if self.are_in(text) else text

    @contextmanager
    def kept_from_logs(self) -> Iterator[None]:
        """Hide keys in everything that is logged meanwhile, by whichever package."""
        make = logging.getLogRecordFactory()

        def make_without_secrets(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = make(*args, **kwargs)
            record.msg, record.args = self.hidden(record.getMessage()), ()
            if record.exc_info:
                # Formatters print this text rather than the exception.
                lines = traceback.format_exception(*record.exc_info)
                record.exc_text = self.hidden(''.join(lines).rstrip())
            return record

        logging.setLogRecordFactory(make_without_secrets)
        try:
            yield
        finally:
            logging.setLogRecordFactory(make)


def _squeezed(text: str) -> str:
    return re.sub(r'[\W_]', '', text.lower())
