"""A real local HTTP server that answers like a chat completion API, well or badly."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mmseg_excel.text.descriptions import load_descriptions

SENTENCES = {name: list(lines) for name, lines in load_descriptions('voc').sentences.items()}


@dataclass
class Request:
    """What the server was asked, and when."""

    asked: dict
    body: dict
    headers: dict
    time: float = field(default_factory=time.monotonic)


Answer = Callable[['Handler', Request, int], None]


def sentences_for(asked: dict) -> list[str]:
    """Good sentences that the class still lacks."""
    lines = SENTENCES.get(asked['class'], SENTENCES['cat'])
    return [line for line in lines if line not in asked.get('written', [])][: asked['sentences']]


def complete(content: str | None, **message) -> dict:
    """A chat completion with this content."""
    return {
        'id': 'x',
        'object': 'chat.completion',
        'created': 0,
        'model': 'm',
        'choices': [
            {
                'index': 0,
                'finish_reason': 'stop',
                'message': {'role': 'assistant', 'content': content, **message},
            }
        ],
        'usage': {'prompt_tokens': 60, 'completion_tokens': 40, 'total_tokens': 100},
    }


def answer_well(handler: Handler, request: Request, count: int) -> None:
    handler.send(200, complete(json.dumps({'sentences': sentences_for(request.asked)})))


class Handler(BaseHTTPRequestHandler):
    """Counts what is asked and in flight, waits, then lets the script of the class answer."""

    protocol_version = 'HTTP/1.1'

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        asked = json.loads(body['messages'][-1]['content'])
        request = Request(
            asked, body, {name.lower(): value for name, value in self.headers.items()}
        )
        server = self.server
        with server.lock:
            server.requests[asked['class']].append(request)
            count = len(server.requests[asked['class']])
            server.in_flight += 1
            server.most_in_flight = max(server.most_in_flight, server.in_flight)
        time.sleep(server.delay(request))
        with server.lock:
            server.in_flight -= 1
        server.scripts.get(asked['class'], server.default)(self, request, count)

    def send(self, status: int, content: dict | str, **headers: str) -> None:
        payload = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(payload)))
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_):
        pass


class ChatServer(ThreadingHTTPServer):
    """Serves on a free port in a thread until it is closed.

    ``scripts`` maps a class to the function that answers for it, ``default`` answers for others,
    ``delay`` says how long an answer takes.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), Handler)
        self.lock = threading.Lock()
        self.requests: dict[str, list[Request]] = defaultdict(list)
        self.scripts: dict[str, Answer] = {}
        self.default: Answer = answer_well
        self.delay: Callable[[Request], float] = lambda request: 0.0
        self.in_flight = self.most_in_flight = 0
        self.url = f'http://127.0.0.1:{self.server_port}/v1'
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request, client_address):
        """Clients that are killed hang up; that is no error of the server."""

    def close(self) -> None:
        self.shutdown()
        self.server_close()
