"""Servers that cannot be trusted, and what a list of classes, a key or an address can get wrong."""

from __future__ import annotations

import asyncio
import functools
import gzip
import json
import os
import re
import socket
import time
import traceback
from pathlib import Path

import pytest

from mmseg_excel.text.chat import open_chat_client
from mmseg_excel.text.generation import (
    DescriptionStore,
    DescriptionWriter,
    generate_descriptions,
)

from ..datasets.tools import run_tool
from ..text.chat_server import ChatServer, complete, sentences_for
from .case import Case, tool

KEY = 'sk-secret-0123456789'
SAYING = 'The soft tail curls around {} beside its small paws.'


@pytest.fixture(scope='module')
def server():
    server = ChatServer()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def one_try(monkeypatch):
    """A key, and no waiting for servers to recover."""
    monkeypatch.setenv('OPENAI_API_KEY', KEY)
    monkeypatch.setattr('mmseg_excel.text.chat.MAX_RETRIES', 0)


def options(folder: Path, url: str, *more: object, model: str = 'm') -> list[object]:
    (folder / 'own.txt').write_text('cat\n')
    usual = {'--model': model, '--classes': folder / 'own.txt', '--base-url': url}
    usual |= {'--out': folder / 'words.json', '--timeout': 20}
    usual |= dict(zip(more[::2], more[1::2], strict=True))
    return [part for pair in usual.items() for part in pair]


# Answers --------------------------------------------------------------------------------------


def content(text: str | None, **message):
    return lambda handler, *_: handler.send(200, complete(text, **message))


def saying(*lines: str):
    """Good sentences, the first of them changed."""
    return lambda handler, request, _: handler.send(
        200,
        complete(json.dumps({'sentences': [*lines, *sentences_for(request.asked)][:20]})),
    )


def body(text: str | dict, status: int = 200, **headers: str):
    return lambda handler, *_: handler.send(status, text, **headers)


def raw(data: bytes):
    def send(handler, *_):
        handler.close_connection = True
        handler.wfile.write(data)

    return send


def dripping(handler, *_):
    handler.close_connection = True
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{')
    for _ in range(200):
        time.sleep(0.05)
        handler.wfile.write(b' ')


def dripping_headers(handler, *_):
    handler.close_connection = True
    for number in range(200):
        time.sleep(0.05)
        handler.wfile.write(f'{"" if number else "HTTP/1.1 200 OK"}X-{number}: 1\r\n'.encode())


def endless(handler, *_):
    handler.close_connection = True
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n')
    while True:
        handler.wfile.write(b' ' * 2**16)


@functools.cache
def packed_zeros() -> bytes:
    return gzip.compress(bytes(2**27), compresslevel=1)


def bomb(handler, *_):
    packed = packed_zeros()
    handler.send_response(200)
    for name, value in dict(Content_Encoding='gzip', Content_Length=str(len(packed))).items():
        handler.send_header(name.replace('_', '-'), value)
    handler.end_headers()
    handler.wfile.write(packed)


DEEP = '[' * 200_000
#: What a server answers -> what is said of the class.
ANSWERS = {
    'the key': (saying(SAYING.format(KEY)), 'held the API key'),
    'the key in quotes': (saying(SAYING.format(f'"{KEY}"')), 'held the API key'),
    'the key in capitals': (saying(SAYING.format(KEY.upper())), 'held the API key'),
    'the key percent-encoded': (saying(SAYING.format('sk%2Dsecret%2D0123456789')), 'held the API'),
    'the key as HTML': (saying(SAYING.format('sk&#45;secret-0123456789')), 'held the API key'),
    'the key over two lines': (saying(SAYING.format('sk-secret-01234\n56789')), 'held the API key'),
    'the key over two sentences': (
        saying('Its soft grey fur is as long as sk-secret', '0123456789 long whiskers point down.'),
        'held the API key',
    ),
    'the key in a refusal': (content(None, refusal=f'No, {KEY}'), r'refused: No, \*\*\*$'),
    'the key spelt out in a refusal': (
        content(None, refusal=f'No, {" ".join(KEY)}'),
        r'\*\*\* \(a message that held the key\)',
    ),
    'the key in an error': (body({'error': {'message': KEY}}, 422), r'status 422: .*\*\*\*'),
    'one byte after the other': (dripping, 'no answer within 0.5 s'),
    'one header after the other': (dripping_headers, 'no answer within 0.5 s'),
    'no end': (endless, 'the answer has more than 4 MB'),
    'a gzip bomb': (bomb, 'empty, cut off or not JSON'),
    'five megabytes': (body('"' + 'x' * 5 * 2**20), 'the answer has more than 4 MB'),
    'nothing': (body(''), 'empty, cut off or not JSON'),
    'HTML': (body('<html>Welcome!</html>'), 'empty, cut off or not JSON'),
    'a list': (body('[]'), 'gave no chat completion'),
    'null': (body('null'), 'gave no chat completion'),
    'NUL': (body('\0'), 'empty, cut off or not JSON'),
    'a number of 5000 digits': (body('1' * 5000), 'empty, cut off or not JSON'),
    'deep nesting': (body(DEEP), 'empty, cut off or not JSON'),
    'choices of text': (body({'choices': 'abc'}), 'gave no chat completion'),
    'an empty choice': (body({'choices': [None]}), 'gave no chat completion'),
    'no choice': (body({'choices': []}), 'gave no chat completion'),
    'a choice without message': (body({'choices': [{}]}), 'gave no chat completion'),
    'a message of text': (body({'choices': [{'message': 'hi'}]}), 'gave no chat completion'),
    'content of numbers': (content([1, 2]), 'gave no chat completion'),
    'no content': (content(None), 'empty, cut off or not JSON'),
    'deep nesting in the content': (content(DEEP), 'empty, cut off or not JSON'),
    'sentences of text': (content('{"sentences": "abc"}'), 'no JSON object with a list'),
    'sentences of lists': (content('{"sentences": [["a"]]}'), 'no JSON object with a list'),
    'half a surrogate pair': (content('{"sentences": ["\\ud800"]}'), 'not one line of plain text'),
    'NUL in a sentence': (content('{"sentences": ["a\\u0000b"]}'), 'not one line of plain text'),
    'a hundred thousand sentences': (
        content(json.dumps({'sentences': ['It is.'] * 100_000})),
        '2 words, not 8 to 25',
    ),
    'an unknown character set': (
        body('x', Content_Type='application/json; charset=base64'),
        'empty, cut off or not JSON',
    ),
    'a page for an error': (body('<html>\n' * 5000, 500), 'status 500: .{0,350}$'),
    'teapots': (body('', 418), 'status 418'),
    'a status beyond all': (body('', 599), 'status 599'),
    'a strange error': (body({'error': [1]}, 400), 'status 400'),
}


@pytest.mark.parametrize('name', ANSWERS)
def test_bad_answers_cost_their_class_only(name, server, tmp_path, capsys):
    script, says = ANSWERS[name]
    server.default = script
    timeout = 0.5 if name.startswith('one') else 20
    start = time.monotonic()
    code = run_tool('generate_descriptions', *options(tmp_path, server.url, '--timeout', timeout))
    assert time.monotonic() - start < 15
    error = capsys.readouterr().err
    [line] = [line for line in error.splitlines() if line.startswith('cat: ')]
    assert code == 1 and re.search(says, line), line
    assert KEY not in error and 'Traceback' not in error and len(line) < 500
    assert not (tmp_path / 'words.json').exists()


def test_a_server_that_asks_to_wait_too_long_is_believed_at_once(
    server, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr('mmseg_excel.text.chat.MAX_RETRIES', 6)
    server.default = body({'error': {'message': 'slow down'}}, 429, Retry_After='50')
    server.requests.clear()
    start = time.monotonic()
    assert run_tool('generate_descriptions', *options(tmp_path, server.url)) == 2
    assert time.monotonic() - start < 15 and len(server.requests['cat']) == 1
    assert 'error: the server answered with status 429' in capsys.readouterr().err


def test_strange_counts_of_tokens_are_no_obstacle(server, tmp_path):
    counts = iter([None, 'many', -5, 10**30, [1], 1.5])

    def counting(handler, request, _):
        answer = complete(json.dumps({'sentences': sentences_for(request.asked)[:4]}))
        handler.send(200, answer | {'usage': {'total_tokens': next(counts)}})

    server.default = counting
    run_tool('generate_descriptions', *options(tmp_path, server.url))
    assert next(counts) == [1], 'four questions were not asked'


# Refusals -------------------------------------------------------------------------------------


def generate(*more: object, url: str = 'http://127.0.0.1:9/v1'):
    return lambda folder: tool('generate_descriptions', *options(folder, url, *more))


def listed(content: bytes):
    """The list of classes holds this."""

    def act(folder: Path):
        (folder / 'list.txt').write_bytes(content)
        generate('--classes', folder / 'list.txt')(folder)

    return act


def writing(path: str, make=lambda path: None):
    """The descriptions are to be written there."""

    def act(folder: Path):
        make(folder / path)
        generate('--out', folder / path)(folder)

    return act


def with_variable(name: str, value: str):
    def act(folder: Path):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(name, value)
            generate()(folder)

    return act


KEY_SAYS = 'OPENAI_API_KEY is not set to a usable key: export it'
ADDRESS_SAYS = r"address of the server \(--base-url\) is .*: give one like 'http://127"
CONCURRENCY_SAYS = r'--concurrency: it is .*, but must be a whole number in \[1, 1000\]'
TIMEOUT_SAYS = r'--timeout: it is .*, but must be a number in \(0, 86400\]'
FILE_SAYS = 'give a text file with one class name per line'
PROXY_SAYS = 'HTTP_PROXY, HTTPS_PROXY or ALL_PROXY is no address of a proxy'

CASES = [
    *(
        Case(f'the key {key!r}', with_variable('OPENAI_API_KEY', key), KEY_SAYS)
        for key in ('', ' ', 'a\nb', 'schlüssel', 'a\x7fb', '\u202e', '钥匙')
    ),
    *(
        Case(f'the address {url!r}', generate(url=url), ADDRESS_SAYS)
        for url in (
            *('file:///etc/passwd', 'ftp://127.0.0.1/', 'localhost', 'http://', '//x', 'http:x'),
            *('http://[::1', 'http://127.0.0.1:x/', 'http://127.0.0.1:99999/', 'http://x y/'),
            *('http://a\nb/', 'javascript:1', 'data:,', 'http://bücher/', 'http://127.0.0.1:0/'),
        )
    ),
    *(
        Case(f'a password in {url}', generate(url=url), r'holds a user name or password: leave')
        for url in ('http://me:hush@127.0.0.1/', 'http://me@127.0.0.1/', 'http://:hush@[::1')
    ),
    *(
        Case(f'concurrency {value}', generate('--concurrency', value), CONCURRENCY_SAYS)
        for value in (0, -1, 1001, 10**6, 10**30)
    ),
    *(
        Case(f'concurrency {value}', generate('--concurrency', value), CONCURRENCY_SAYS)
        for value in ('1.5', 'many', 'nan', '')
    ),
    *(
        Case(f'timeout {value}', generate('--timeout', value), TIMEOUT_SAYS)
        for value in (0, -1, 'nan', 'inf', '1e400', 1e9)
    ),
    Case('timeout of letters', generate('--timeout', 'soon'), TIMEOUT_SAYS),
    *(
        Case(f'model {model!r}', generate('--model', model), r'name of the model \(--model\) is')
        for model in ('', ' ', 'a\nb', 'a\0b', '\udc80')
    ),
    *(
        Case(f'{name} with {value!r}', with_variable(name, value), f'{name} is no line of ASCII')
        for name in ('OPENAI_ORG_ID', 'OPENAI_PROJECT_ID')
        for value in ('a\nb', 'ü')
    ),
    *(
        Case(f'the proxy {value!r}', with_variable('HTTP_PROXY', value), PROXY_SAYS)
        for value in ('gopher://me:hush@proxy', 'http://me:hush@[::1', 'http://me:hush@x:port')
    ),
    Case('no list', generate('--classes', 'no/such.txt'), f'no file no/such.txt: {FILE_SAYS}'),
    Case('a folder as list', lambda f: generate('--classes', f)(f), FILE_SAYS),
    Case('an endless list', generate('--classes', '/dev/zero'), f'no file of at most.*{FILE_SAYS}'),
    Case('a huge list', listed(b'cat\n' * 2**19), f'no file of at most 1 MB: {FILE_SAYS}'),
    Case('a list of nothing', listed(b''), 'at least one class'),
    Case('a list of blanks', listed(b' \n\n\t\n'), 'at least one class'),
    Case('a UTF-16 list', listed('cat\n'.encode('utf-16')), f'is not UTF-8 text: {FILE_SAYS}'),
    Case('a binary list', listed(bytes(range(256))), f'is not UTF-8 text: {FILE_SAYS}'),
    Case('NUL in a name', listed(b'c\0t\n'), r"'c\\x00t' is no class name"),
    Case('a name twice', listed('\ufeffcat\ncat\n'.encode()), 'named twice: cat'),
    Case('1001 names', listed('\n'.join(map(str, range(1001))).encode()), '1001 classes are too'),
    Case('a long name', listed(b'x y ' * 500), 'CLIP tokens, over 20: give a shorter one'),
    Case('a folder to write', writing('words', Path.mkdir), 'is no file: give the name of a file'),
    Case('a pipe to write', writing('pipe', os.mkfifo), 'is no file: give the name of a file'),
    Case('a file as folder', writing('own.txt/words.json'), 'cannot be written'),
    Case('a name too long', writing('x' * 300), 'cannot be written'),
    Case(
        'a file of something else',
        writing('mine.txt', lambda path: path.write_text('my diary')),
        'mine.txt',
    ),
    Case(
        'a file of other JSON',
        writing('mine.json', lambda path: path.write_text('{"schema_version": 99}')),
        'mine.json',
    ),
]


@pytest.mark.parametrize('case', CASES, ids=str)
def test_unusable_questions_are_refused(case, tmp_path):
    case.check(tmp_path)


def test_a_pipe_for_a_list_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    Case('a pipe', generate('--classes', tmp_path / 'pipe'), FILE_SAYS).check(tmp_path)


#: What a server answers -> why nothing more is asked.
HOPELESS = {
    'a wrong key': (body({'error': {'message': KEY}}, 401), r'status 401: .*\*\*\*'),
    'no money': (body('', 402), 'status 402'),
    'no permission': (body('', 403), 'status 403'),
    'no such model': (body({'error': {'message': 'no model m'}}, 404), 'status 404.*no model m'),
    'too many requests': (body('', 429, Retry_After='1000000000'), 'status 429'),
    'a date to wait for': (
        body('', 429, Retry_After='Fri, 31 Dec 9999 23:59:59 GMT'),
        'status 429',
    ),
    'a redirection': (body('', 307, Location='http://example.org/'), 'status 307'),
    'no HTTP': (raw(b'SSH-2.0-OpenSSH\r\n'), 'cannot be reached: .*Check --base-url'),
    'the key as HTTP': (raw(f'{KEY}\r\n\r\n'.encode()), 'cannot be reached: '),
    'a hang-up': (raw(b''), 'cannot be reached: .*Check --base-url'),
    'half an answer': (
        raw(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{'),
        'cannot be reached: .*Check --base-url',
    ),
    'a header without end': (raw(b'HTTP/1.1 200 OK\r\nX: ' + b'x' * 2**21), 'cannot be reached'),
}


@pytest.mark.parametrize('name', HOPELESS)
def test_hopeless_servers_end_the_run(name, server, tmp_path):
    server.default, says = HOPELESS[name]
    server.requests.clear()
    Case(name, generate(url=server.url), says).check(tmp_path)
    assert len(server.requests['cat']) == 1


def test_nobody_there(tmp_path):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
    says = 'The server at 127.0.0.1 cannot be reached: .*Check --base-url'
    Case('nobody', generate(url=f'http://127.0.0.1:{port}/v1'), says).check(tmp_path)


def test_redirections_are_not_followed(server, tmp_path):
    other = ChatServer()
    server.default = body('', 307, Location=f'{other.url}/chat/completions')
    Case('elsewhere', generate(url=server.url), 'status 307').check(tmp_path)
    assert not other.requests
    other.close()


def test_logs_hold_no_key(server, tmp_path, caplog):
    """Neither from headers that a server sends, nor from the exceptions they lead to."""
    caplog.set_level('DEBUG')
    server.default = body({'error': {'message': KEY}}, 400, X_Echo=KEY)
    run_tool('generate_descriptions', *options(tmp_path, server.url))
    server.default = raw(f'HTTP/1.1 200 OK\r\n {KEY}\r\n\r\n'.encode())
    run_tool('generate_descriptions', *options(tmp_path, server.url))
    assert len(caplog.records) > 10 and KEY not in caplog.text
    assert '***' in caplog.text


def test_no_exception_of_the_api_tells_the_key(server):
    client = open_chat_client(KEY, server.url, 5)
    writer = DescriptionWriter(client, 'm', ['cat'])
    for answer in (body(KEY, 400), body(KEY, 401), raw(KEY.encode()), content(KEY)):
        server.default = answer
        with pytest.raises((ValueError, OSError)) as caught:
            asyncio.run(writer.write('cat'))
        text = ''.join(traceback.format_exception(caught.value))
        assert KEY not in text and 'Authorization' not in text


@pytest.mark.parametrize(
    ('change', 'says'),
    [
        (dict(classes='cat'), 'classes is'),
        (dict(classes=None), 'classes is None'),
        (dict(classes=[3]), '3 is no class name'),
        (dict(classes=[None]), 'None is no class name'),
        (dict(model=None), 'name of the model'),
        (dict(timeout=float('nan')), 'timeout is nan'),
        (dict(timeout='1'), "timeout is '1'"),
        (dict(timeout=None), 'timeout is None'),
    ],
)
def test_settings_of_the_writer(change, says, server):
    client = open_chat_client(KEY, server.url, 5)
    settings = dict(client=client, model='m', classes=['cat']) | change
    Case('setting', lambda _: DescriptionWriter(**settings), says).check(Path('/nowhere'))


@pytest.mark.parametrize('value', [0, -1, None, '8', 1.5, True, 10**9])
def test_concurrency_is_a_number_of_questions(value, server, tmp_path):
    writer = DescriptionWriter(open_chat_client(KEY, server.url, 5), 'm', ['cat'])
    store = DescriptionStore(tmp_path / 'words.json', 'own', ['cat'], {})
    Case(
        'concurrency',
        lambda _: asyncio.run(generate_descriptions(writer, store, value)),
        'concurrency is .* whole number',
    ).check(tmp_path)
