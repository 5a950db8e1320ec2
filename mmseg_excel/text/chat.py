"""Connections to language models that are trusted no further than they must be."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from ..utils.bad_input import BadInput
from ..utils.checks import check_number, shown
from ..utils.extras import extra

with extra('descriptions'):
    import openai

MAX_BYTES = 4 * 2**20  # of an answer; twenty sentences have 4 KB
MAX_RETRIES = 6  # per question: back-off and Retry-After are the openai package's
OPENAI_URL = 'https://api.openai.com/v1'
_REWRITTEN = ('content-encoding', 'content-length', 'transfer-encoding', 'x-should-retry')
HEADERS = ('OPENAI_ORG_ID', 'OPENAI_PROJECT_ID')  # the openai package sends these along


class CautiousHttpClient(openai.DefaultAsyncHttpxClient):
    """Reads at most ``MAX_BYTES`` (and one chunk) of an answer, and goes nowhere it is sent.

    Answers are asked for uncompressed, and are left compressed where they come so all the same: a
    few bytes may unfold to gigabytes. A server that wants to be asked again too late is not.

    Args:
        patience: Seconds that a question may take.
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        super().__init__(follow_redirects=False, headers={'Accept-Encoding': 'identity'})

    async def send(self, request, **options):
        """Send a request; its answer is read, but for what is too much."""
        response = await super().send(request, **{**options, 'stream': True})
        body = bytearray()
        try:
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_BYTES:
                    break
        finally:
            await response.aclose()
        headers = [
            (name, value)
            for name, value in response.headers.items()
            if name.lower() not in _REWRITTEN
        ]
        if _seconds(response.headers.get('retry-after')) > self.patience:
            headers.append(('x-should-retry', 'false'))  # which the openai package obeys
        return type(response)(
            response.status_code, headers=headers, content=bytes(body), request=request
        )


def open_chat_client(key: str, base_url: str | None, timeout: float) -> openai.AsyncOpenAI:
    """Client of an OpenAI-compatible server; it repeats a lost request ``MAX_RETRIES`` times.

    Args:
        key: The server's key.
        base_url: Its address. None: ``OPENAI_BASE_URL``, and without that OpenAI.
        timeout: Seconds without a byte after which a request counts as lost.

    Raises:
        BadInput: If a key, address or proxy is unusable; no key or password is repeated.
    """
    if not isinstance(key, str) or not (key and key.isascii() and key.isprintable()):
        raise BadInput(
            'OPENAI_API_KEY is not set to a usable key: export it '
            '(any word will do for a server that asks for none).'
        )
    for name in HEADERS:
        value = os.environ.get(name, '')
        if not (value.isascii() and value.isprintable()):
            raise BadInput(f'{name} is no line of ASCII characters: unset it or correct it.')
    check_number('timeout', timeout, '(0, inf)')
    address = base_url or os.environ.get('OPENAI_BASE_URL') or OPENAI_URL
    _check_address(address)
    return openai.AsyncOpenAI(
        api_key=key,
        base_url=address,
        timeout=timeout,
        max_retries=MAX_RETRIES,
        http_client=_http_client(timeout),
    )


def _check_address(address: str) -> None:
    if not isinstance(address, str):
        raise BadInput(f'The address of the server is {shown(address)}, but must be a text.')
    if '@' in address:
        raise BadInput(
            'The address of the server (--base-url) holds a user name or password: leave them out '
            'and give the key in OPENAI_API_KEY.'
        )
    try:
        parts = urlsplit(address)
        good = parts.scheme in ('http', 'https') and parts.hostname and parts.port != 0
    except ValueError:  # ports of letters, brackets that do not close
        good = False
    if not good or not re.fullmatch('[!-~]{1,2000}', address):
        raise BadInput(
            f'The address of the server (--base-url) is {address[:80]!r}: give one like '
            "'http://127.0.0.1:8000/v1'."
        )


def _seconds(retry_after: str | None) -> float:
    try:
        return float(retry_after or 0)
    except ValueError:  # a date, which may be told by another clock
        return 0


def _http_client(patience: float) -> CautiousHttpClient:
    try:
        return CautiousHttpClient(patience)
    except OSError:
        raise BadInput(
            'The certificates that SSL_CERT_FILE or SSL_CERT_DIR name cannot be read: unset or '
            'correct these variables.'
        ) from None
    except ImportError as error:
        raise BadInput(f'HTTP_PROXY, HTTPS_PROXY or ALL_PROXY needs more: {error}') from None
    except Exception:  # httpx's InvalidURL is no ValueError, and names the proxy's password
        raise BadInput(
            'HTTP_PROXY, HTTPS_PROXY or ALL_PROXY is no address of a proxy: unset it or give one '
            "like 'http://proxy:3128'."
        ) from None
