"""Which requests are let through to the page."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

THIS_MACHINE = ('localhost', '127.0.0.1', '::1')
EVERYWHERE = ('0.0.0.0', '::')


class Gatekeeper:
    """Answers those who ask for the page by its address, from its own pages, and briefly.

    Any site's name can be made to point at this machine, and a browser then shows that site the
    page's answers (DNS rebinding). So a request must name an address the page is served at: this
    machine, the host given, or, if that is every address, any of them in numbers. A request
    that another site's page makes is refused as well.

    Args:
        app: What answers the requests that are let through.
        host: What the page listens at.
        most_bytes: A request may have.
    """

    def __init__(self, app: ASGIApp, host: str, most_bytes: int) -> None:
        self.app = app
        self.host = host.lower()
        self.most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say why not."""
        if scope['type'] == 'lifespan':
            await self.app(scope, receive, send)
        elif problem := self._problem(Headers(scope=scope)):
            if scope['type'] == 'websocket':
                await send({'type': 'websocket.close', 'code': 1008})
                return
            status, sentence = problem
            await self._discard(receive)
            await PlainTextResponse(sentence, status)(scope, receive, send)
        else:
            await self.app(scope, self._limited(receive), send)

    def _problem(self, headers: Headers) -> tuple[int, str] | None:
        hosts, origins = headers.getlist('host'), headers.getlist('origin')
        if len(hosts) != 1 or not self._is_ours(_split(f'//{hosts[0]}').hostname):
            return 403, (
                'The page is not served at the address that was asked for: open it at '
                'http://127.0.0.1 and its port, or start tools/app.py with --host.'
            )
        if any(_split(origin).netloc != hosts[0].lower() for origin in origins):
            return 403, "Other sites' pages may not use this page: open it itself."
        length = headers.get('content-length', '0')
        if not length.isdigit() or int(length[:20]) > self.most_bytes:
            return 413, self._too_large()
        return None

    async def _discard(self, receive: Receive) -> None:
        """Read on for a while: who is still sending does not hear an answer."""
        most = 2 * self.most_bytes
        while most > 0:
            message = await receive()
            most -= len(message.get('body', b''))
            if not message.get('more_body'):
                return

    def _is_ours(self, name: str | None) -> bool:
        if name in (*THIS_MACHINE, self.host):
            return True
        return self.host in EVERYWHERE and _is_address(name)

    def _too_large(self) -> str:
        return f'More than {self.most_bytes // 2**20} MB are not read: send less.'

    def _limited(self, receive: Receive) -> Receive:
        """Stop reading a request that does not say how long it is, too."""
        read = 0

        async def receive_some() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get('body', b''))
            if read > self.most_bytes:
                raise HTTPException(413, self._too_large())
            return message

        return receive_some


def _split(address: str) -> SplitResult:
    """The parts of an address, in small letters; none of them if it is none."""
    try:
        return urlsplit(address.lower())
    except ValueError:
        return urlsplit('')


def _is_address(name: str | None) -> bool:
    try:
        ipaddress.ip_address(name or '')
    except ValueError:
        return False
    return True
