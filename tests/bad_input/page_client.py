"""What a browser says to the page, and what anybody else may say."""

from __future__ import annotations

import html
import itertools
import json
import re
import socket
import urllib.error
import urllib.request

from mmseg_excel.app.desk import Desk
from mmseg_excel.app.page import build_page
from mmseg_excel.app.server import serve

#: Events by number, as the page's own list of them has it.
LOAD, UPLOAD, EXAMPLE, CLICK, CHANGE = range(5)
QUESTION = ['cat', 'grass, sky', 3, 1.0, 0.9, 0.4, 0, False, False]


class PageClient:
    """Serves a desk's page until it is closed, and talks to it over HTTP, without a browser."""

    def __init__(self, desk: Desk) -> None:
        with socket.create_server(('127.0.0.1', 0)) as free:
            port = free.getsockname()[1]
        self.page = build_page(desk)
        self.url = serve(self.page, port=port)
        self._visits = itertools.count()

    def close(self) -> None:
        self.page.close()

    def call(
        self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """Status and content of a request."""
        headers = {'Content-Type': 'application/json'} | (headers or {})
        request = urllib.request.Request(self.url + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def event(
        self, number: object, data: object, event_data: object = None, visit: str | None = None
    ) -> str:
        """What the page says, its note or its error, to an event of a visit; default: a new one."""
        visit = visit or f'visit{next(self._visits)}'
        event = dict(data=data, fn_index=number, session_hash=visit, event_data=event_data)
        status, content = self.call('gradio_api/queue/join', json.dumps(event).encode())
        if status != 200:
            return content
        url = f'{self.url}gradio_api/queue/data?session_hash={visit}'
        with urllib.request.urlopen(url, timeout=60) as stream:
            for line in stream:
                message = json.loads(line[5:]) if line.startswith(b'data:') else {}
                if message.get('msg') == 'process_completed':
                    return _said(message['output'])
        raise AssertionError('the page did not answer')


def _said(output: dict) -> str:
    if 'error' in output:
        return str(output['error'])
    said = re.findall(r'<p class="(?:note|error)"[^>]*>(.*?)</p>', _text(output))
    return ' '.join(html.unescape(sentence) for sentence in said)


def _text(output: dict) -> str:
    return ' '.join(value for value in output['data'] if isinstance(value, str))
