"""Serving the page: to this machine, within limits, and with no request that leaves it."""

from __future__ import annotations

import socket

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..utils.bad_input import BadInput
from ..utils.checks import check_whole, shown
from .blocks import refuse_nonsense
from .gatekeeper import Gatekeeper
from .gradio import gr
from .uploads import MAX_BYTES

MAX_SESSIONS = 64
MAX_WAITING = 64
MAX_REQUEST_BYTES = MAX_BYTES + 2**16  # an upload and what is written around it
# Gradio's own page runs inline scripts and compiles templates; nothing comes from elsewhere.
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'"
)
CSS = """
#picture img, #pseudo_label img, #prediction img { object-fit: contain; width: 100%; }
#picture img { cursor: crosshair; }
#examples .grid-wrap { min-height: 0; max-height: none; height: auto; padding: 0; }
#examples .grid-container { grid-template-columns: repeat(4, minmax(0, 1fr)) !important;
  grid-template-rows: none !important; grid-auto-rows: min-content !important; }
#examples .gallery-item { min-width: 0; height: auto; }
#examples .thumbnail-item { width: 100%; height: auto; aspect-ratio: 1; }
#examples .caption-label { font-size: .65rem; padding: 0 .25rem; max-width: 100%; }
h2 { font-size: 1rem; margin: 0; }
h2 small { font-weight: normal; opacity: .75; }
p.notice { background: #fff4d6; color: #333; border-left: 4px solid #e69f00; padding: .5rem .75rem;
  margin: 0; }
p.error { background: #fde8e6; color: #7a1a10; border-left: 4px solid #d55e00;
  padding: .5rem .75rem; margin: 0; overflow-wrap: anywhere; }
p.note { margin: 0; overflow-wrap: anywhere; }
p.hint { margin: 0; font-size: .85rem; opacity: .75; }
.figures { display: grid; gap: .5rem;
  grid-template-columns: repeat(auto-fill, minmax(min(11rem, 46%), 1fr)); }
.figures figure { margin: 0; }
.figures img { display: block; width: 100%; max-height: 24rem; object-fit: contain; }
.figures figcaption { text-align: center; font-size: .9rem; overflow-wrap: anywhere; }
ul.legend { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap;
  gap: .2rem 1rem; }
ul.legend li { margin: 0; overflow-wrap: anywhere; }
ul.legend i { display: inline-block; width: .9rem; height: .9rem; margin-right: .35rem;
  border: 1px solid #999; vertical-align: -2px; }
"""


class ContentPolicy:
    """Tells browsers to load nothing from other places.

    Args:
        app: What answers the requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, with the policy in its headers."""

        async def send_with_policy(message: Message) -> None:
            if message['type'] == 'http.response.start':
                MutableHeaders(scope=message)['Content-Security-Policy'] = POLICY
            await send(message)

        await self.app(scope, receive, send_with_policy)


def serve(page: gr.Blocks, host: str = '127.0.0.1', port: int = 7860) -> str:
    """Serve a page, beside what this process does, until it ends or closes the page.

    Args:
        page: From :func:`build_page`.
        host: Address to listen at. Default: this machine only.
        port: Default: 7860.

    Returns:
        The page's URL.

    Raises:
        BadInput: If the host or port cannot be listened at.
    """
    check_address(host, port)
    gatekeeper = Middleware(Gatekeeper, host=host, most_bytes=MAX_REQUEST_BYTES)
    page.queue(max_size=MAX_WAITING)
    _, url, _ = page.launch(
        server_name=host,
        server_port=port,
        share=False,
        ssr_mode=False,
        prevent_thread_lock=True,
        quiet=True,
        max_file_size=MAX_BYTES,
        state_session_capacity=MAX_SESSIONS,
        enable_monitoring=False,
        footer_links=[],
        theme=gr.themes.Default(font=['system-ui', 'sans-serif'], font_mono=['monospace']),
        css=CSS,
        app_kwargs=dict(
            middleware=[Middleware(ContentPolicy), gatekeeper],
            exception_handlers=dict.fromkeys((LookupError, TypeError, ValueError), refuse_nonsense),
        ),
    )
    return url


def check_address(host: str, port: int) -> None:
    """Refuse what cannot be listened at.

    Raises:
        BadInput: If the host is none of this machine's addresses, or the port is taken or none.
    """
    check_whole('--port', port, '[1, 65535]')
    if not isinstance(host, str) or not host:
        raise BadInput(f'--host is {shown(host)}, but must be an address, such as 127.0.0.1.')
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server(address, family=family).close()
    except (OSError, ValueError, OverflowError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise BadInput(
            f'Nothing can listen at --host {shown(host)} --port {port} ({reason}): give an address '
            'of this machine and a free port.'
        ) from None
