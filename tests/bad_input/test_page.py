"""What strangers can send to the page: it answers in one sentence, and nothing leaks."""

from __future__ import annotations

import io
import json
import os
import re
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.datastructures import Headers

from mmseg_excel.app.desk import Desk
from mmseg_excel.app.gatekeeper import Gatekeeper
from mmseg_excel.app.model import load_model
from mmseg_excel.app.server import MAX_REQUEST_BYTES, serve
from mmseg_excel.app.uploads import MAX_BYTES, read_upload

from .case import Case, tool
from .page_client import CHANGE, CLICK, EXAMPLE, LOAD, QUESTION, UPLOAD, PageClient

NONSENSE = 'The page was sent what its own buttons never send: reload it'
SETTLED = 'settled'  # a visit with a picture
FILE = {'meta': {'_type': 'gradio.FileData'}}


@pytest.fixture(scope='module')
def client(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, 'MMSEG_EXCEL_CACHE', str(tmp_path_factory.mktemp('cache')))
        client = PageClient(Desk(load_model(device='cpu')))
        client.event(LOAD, QUESTION, visit=SETTLED)
        yield client
        client.close()


def asked(position: int, value: object) -> list:
    """A question with one thing changed."""
    return [*QUESTION[:position], value, *QUESTION[position + 1 :]]


KNOBS = {
    2: ('N, calibrated blocks', (None, 'abc', -1, 0, 9, 1e9, 10**30, [1], {}, True, 2.5)),
    3: ('λ, weight of the attributes', (None, 'abc', -0.1, 8.1, 1e400, -1e400, float('nan'), [])),
    4: ('K_r, share of attributes kept', (None, '1', 0, 1.1, float('nan'))),
    5: ('τ, threshold of the boxes', (None, '1', -1, 2, float('nan'))),
    6: ('Rounds of pixel-adaptive refinement', (None, '1', -1, 41, 10**9, 0.5)),
    7: ('DenseCRF', (None, 'yes', 1, [])),
    8: ('Dynamic maps', (None, 'yes', 1, [])),
}
WORDS = [
    (0, None, 'The class names are None, but must be text'),
    (0, '', 'Type at least one class name'),
    (0, ' ,\n,', 'Type at least one class name'),
    (0, 'x' * 70_000, 'longer than 80 characters: separate names by commas'),
    (0, ','.join(map(str, range(10**6))), '1000000 class names are too many: type at most 20'),
    (0, 'c\0t', r"The class name 'c\\x00t' holds what is no letter"),
    (0, '\ud800', r"The class name '\\ud800' holds what is no letter"),
    (1, None, 'The background names are None, but must be text'),
    (1, ','.join(map(str, range(101))), '101 background names are too many: type at most 100'),
    (1, 'x' * 81, 'The background name “x+…” is longer'),
]
QUESTIONS = [
    *((i, value, f'{name}.* but must be') for i, (name, v) in KNOBS.items() for value in v),
    *WORDS,
]


@pytest.mark.parametrize(
    ('position', 'value', 'says'), QUESTIONS, ids=[f'{i}-{str(v)[:20]!r}' for i, v, _ in QUESTIONS]
)
def test_unusable_questions(client, position, value, says, capfd):
    check(client.event(CHANGE, [None, None, *asked(position, value)], visit=SETTLED), says)
    assert 'Traceback' not in capfd.readouterr().err


def check(said: str, says: str) -> None:
    assert re.search(says, said), said
    assert '\n' not in said and len(said) < 300


EVENTS = [
    *((EXAMPLE, QUESTION, dict(index=i, value=None)) for i in (None, 'x', -1, 8, [1], 1.5, 1e9)),
    *((EXAMPLE, QUESTION, data) for data in (None, {}, 'index', [1], 5)),
]
CLICKS = (
    None,
    {},
    'index',
    [1],
    dict(index=3),
    dict(index='xy'),
    dict(index=[-1, 2]),
    dict(index=[1e9, 2]),
)
UPLOADS = [
    *(5, 'x', '/etc/passwd', [], ['x'], {}, {'path': None}, {'path': '/etc/passwd'}),
    *(
        {'path': path} | FILE
        for path in (
            *('/etc/passwd', '/dev/zero', '/dev/stdin', '/proc/self/environ', '../../etc/passwd'),
            *('/tmp/gradio/../../etc/passwd', 'http://example.org/x.png', 'file:///etc/passwd'),
            *('https://example.org/x.png', 'a\0b', '', '.', '~/.ssh/id_rsa', 'x' * 5000),
        )
    ),
    {'path': '', 'url': 'http://example.org/x.png'} | FILE,
]
UNREADABLE = [
    (CHANGE, []),
    (CHANGE, QUESTION[:3]),
    *((UPLOAD, [upload, *QUESTION]) for upload in UPLOADS),
    *((number, QUESTION) for number in (-1, 5, 10**9)),
]


@pytest.mark.parametrize('event', EVENTS, ids=lambda event: str(event[2]))
def test_examples_that_are_none(client, event):
    number, data, event_data = event
    check(client.event(number, data, event_data), 'There is no such example: choose another')


@pytest.mark.parametrize('click', CLICKS, ids=str)
def test_clicks_nowhere(client, click):
    data = [None, None, *QUESTION]
    check(client.event(CLICK, data, click), 'Choose a picture first')
    check(client.event(CLICK, data, click, SETTLED), 'no place in the picture|lies outside')


@pytest.mark.parametrize('event', UNREADABLE, ids=lambda event: str(event)[:80])
def test_what_no_button_sends(client, event, capfd):
    check(client.event(*event), NONSENSE)
    assert 'Traceback' not in capfd.readouterr().err


def test_no_picture(client):
    check(client.event(CHANGE, [None, None, *QUESTION]), 'Choose a picture first')
    check(client.event(UPLOAD, [None, *QUESTION]), 'None is no file: choose a picture to send')


@pytest.mark.parametrize('data', [{}, None, 'x', 5])
def test_data_that_are_no_list(client, data):
    assert 'valid list' in client.event(CHANGE, data)


# Requests -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'host',
    [
        *('evil.example', 'evil.example:80', '192.168.0.1', '0.0.0.0', '169.254.169.254', ''),
        *('localhost.evil.example', '127.0.0.1.evil.example', 'localhost@evil.example', '[::1'),
        *('evil.example#localhost', '127.0.0.2', '[::2]', 'LOCALHOST.', '2130706433'),
    ],
)
def test_other_names_are_not_served(client, host):
    status, said = client.call('', headers={'Host': host})
    assert status == 403 and 'not served at the address' in said


def test_two_names_are_none(client):
    with socket.create_connection(('127.0.0.1', client.page.server_port)) as line:
        line.sendall(b'GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n')
        assert b' 40' in line.recv(100)


@pytest.mark.parametrize('host', ['localhost', '127.0.0.1:99', '[::1]:7860', 'LocalHost'])
def test_this_machine_is_served(client, host):
    assert client.call('', headers={'Host': host})[0] == 200


@pytest.mark.parametrize('origin', ['http://evil.example', 'null', 'http://localhost:1', '[', ''])
def test_other_sites_pages_are_refused(client, origin):
    body = json.dumps(dict(data=QUESTION, fn_index=LOAD, session_hash='x')).encode()
    status, said = client.call('gradio_api/queue/join', body, {'Origin': origin})
    assert status == 403 and "Other sites' pages" in said


def test_every_address_of_this_machine_may_be_served(client):
    """Addresses in numbers cannot be made to point elsewhere; names can."""
    keeper = Gatekeeper(None, '0.0.0.0', 1)
    hosts = ('192.168.0.1:7860', '[fe80::1]', 'localhost', 'evil.example', 'gpu-box')
    served = [keeper._problem(Headers({'host': host})) is None for host in hosts]
    assert served == [True, True, True, False, False]
    named = Gatekeeper(None, 'gpu-box', 1)
    assert [named._problem(Headers({'host': host})) is None for host in hosts[3:]] == [False, True]


@pytest.mark.parametrize('path', ['gradio_api/upload', 'gradio_api/queue/join', ''])
def test_large_requests_are_not_read(client, path):
    status, said = client.call(path, bytes(MAX_REQUEST_BYTES + 1))
    assert status == 413 and 'More than 20 MB are not read' in said


@pytest.mark.parametrize('path', ['gradio_api/upload', 'gradio_api/queue/join'])
def test_requests_that_do_not_say_how_long_they_are_are_cut_off(client, path):
    head = f'POST /{path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n'
    kind = 'multipart/form-data; boundary=x' if 'upload' in path else 'application/json'
    head += f'Content-Type: {kind}\r\n\r\n'
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
    chunks = [part, *[bytes(2**20)] * 21]
    with socket.create_connection(('127.0.0.1', client.page.server_port), timeout=60) as line:
        line.sendall(head.encode())
        line.sendall(b''.join(b'%x\r\n%s\r\n' % (len(chunk), chunk) for chunk in chunks))
        assert b' 413 ' in line.recv(100)


@pytest.mark.parametrize('body', [b'', b'{', b'[' * 100_000, b'\xff\xfe', b'null', b'{"data": 1}'])
def test_bodies_that_are_no_question(client, body):
    status, said = client.call('gradio_api/queue/join', body)
    assert 400 <= status < 500 and str(Path(__file__).parents[2]) not in said


@pytest.mark.parametrize(
    'path',
    [
        *('file=/etc/passwd', 'file=/dev/zero', 'file=../../etc/passwd', 'file=%2Fetc%2Fpasswd'),
        *('file=/proc/self/environ', 'proxy=http://127.0.0.1:1/x', 'file=http://example.org/'),
    ],
)
def test_files_of_this_machine_stay_here(client, path):
    status, said = client.call(f'gradio_api/{path}')
    assert 400 <= status < 500 and 'root:' not in said


# Pictures -------------------------------------------------------------------------------------


def encoded(kind: str, pixels=None, **options) -> bytes:
    buffer = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.new('RGB', (40, 30), 'red')
    image.save(buffer, kind, **options)
    return buffer.getvalue()


BAD_PICTURES = {
    'nothing': b'',
    'text': b'Dear Sir or Madam',
    'HTML': b'<img src=x>',
    'SVG': b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    'PDF': b'%PDF-1.4\n',
    'PostScript': b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n',
    'zeros': bytes(10_000),
    'half a PNG': encoded('PNG')[:-30],
    'half a JPEG': encoded('JPEG')[:300],
    'half a TIFF': encoded('TIFF')[:-400],
    'half a WebP': encoded('WEBP')[:-20],
    'half a GIF': encoded('GIF')[:20],
    'half a BMP': encoded('BMP')[:-400],
    'an icon': encoded('ICO'),
    'a signature': b'\x89PNG\r\n\x1a\n',
    'a pickle': b'\x80\x04K\x01.',
}


@pytest.mark.parametrize('name', BAD_PICTURES)
def test_pictures_that_are_none(name, tmp_path):
    (tmp_path / 'sent.jpg').write_bytes(BAD_PICTURES[name])
    says = 'sent.jpg is not an image that can be read: send a JPEG'
    Case(name, lambda folder: read_upload(folder / 'sent.jpg'), says).check(tmp_path)


@pytest.mark.parametrize(
    ('make', 'says'),
    [
        (lambda path: None, 'picture is gone: send it again'),
        (lambda path: path.mkdir(), 'picture is gone: send it again'),
        (lambda path: os.mkfifo(path), 'picture is gone: send it again'),
        (lambda path: path.write_bytes(bytes(MAX_BYTES + 1)), 'larger than 20 MB: send a smaller'),
        (lambda path: path.write_bytes(huge()), 'more than 64 million pixels: send a smaller'),
    ],
)
def test_files_that_are_no_pictures(make, says, tmp_path):
    make(tmp_path / 'picture')
    Case('file', lambda folder: read_upload(folder / 'picture'), says).check(tmp_path)


def huge() -> bytes:
    """A BMP whose header promises 10^10 pixels."""
    content = bytearray(encoded('BMP'))
    content[18:26] = np.array([100_000, 100_000], '<i4').tobytes()
    return bytes(content)


@pytest.mark.parametrize(
    ('kind', 'image', 'options'),
    [
        ('JPEG', Image.new('CMYK', (40, 30)), {}),
        ('TIFF', Image.fromarray(np.zeros((30, 40), np.uint16)), {}),
        ('TIFF', Image.fromarray(np.full((30, 40), np.nan, np.float32)), {}),
        (
            'GIF',
            Image.new('P', (40, 30)),
            dict(save_all=True, append_images=[Image.new('P', (40, 30), 1)]),
        ),
        ('PNG', Image.new('1', (40, 30)), {}),
        ('JPEG', Image.new('RGB', (40, 30)), dict(exif=b'Exif\0\0rubbish')),
    ],
)
def test_unusual_pictures_are_pictures(kind, image, options, tmp_path):
    (tmp_path / 'picture').write_bytes(encoded(kind, image, **options))
    assert read_upload(tmp_path / 'picture').shape == (30, 40, 3)


def test_unusable_pictures_are_told_in_the_page(client):
    """Without the folder they lie in."""
    boundary = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\nno\r\n'
    )
    status, said = client.call(
        'gradio_api/upload',
        boundary + b'--x--\r\n',
        {'Content-Type': 'multipart/form-data; boundary=x'},
    )
    [path] = json.loads(said)
    said = client.event(UPLOAD, [{'path': path} | FILE, *QUESTION])
    assert said.startswith('a.jpg is not an image that can be read') and '/' not in said


# The command line -----------------------------------------------------------------------------


def app(*args: object):
    return lambda folder: tool('app', '--device', 'cpu', *(str(arg) for arg in args))


def with_file(option: str, content: bytes):
    def act(folder: Path):
        (folder / 'file').write_bytes(content)
        app(option, folder / 'file')(folder)

    return act


def taken(folder: Path):
    with socket.create_server(('127.0.0.1', 0)) as server:
        app('--port', server.getsockname()[1])(folder)


ADDRESS = 'Nothing can listen at --host .*: give an address of this machine and a free port'
COMMANDS = [
    *(
        Case(f'port {port}', app(f'--port={port}'), r'--port: it is .*whole number in \[1, 65535\]')
        for port in (0, -1, 65536, 10**12)
    ),
    *(
        Case(f'port {p!r}', app(f'--port={p}'), r'--port: it is .*whole number')
        for p in ('http', '', '80.5')
    ),
    *(
        Case(f'host {host}', app('--host', host), ADDRESS)
        for host in ('256.1.1.1', '203.0.113.1', 'a b', 'x' * 300, 'http://localhost')
    ),
    Case('an empty host', app('--host', ''), "--host is '', but must be an address"),
    Case('a port in use', taken, ADDRESS),
    Case('no config', app('excel_mars'), "no config 'excel_mars'"),
    Case('no checkpoint', app('--checkpoint', 'no.pth'), "no checkpoint 'no.pth'|no.pth"),
    Case('no weights', app('--pretrained', 'no.pt'), 'no.pt'),
    Case('no descriptions', app('--descriptions', 'no.json'), "no description file 'no.json'"),
    Case('a folder of descriptions', lambda f: app('--descriptions', f)(f), 'description file'),
    Case('descriptions of text', with_file('--descriptions', b'x'), 'file'),
    Case('a checkpoint of text', with_file('--checkpoint', b'x'), 'file'),
    Case('no arguments', app('--what'), 'unrecognized arguments'),
]


@pytest.mark.parametrize('case', COMMANDS, ids=str)
def test_command_lines(case, tmp_path):
    case.check(tmp_path)


@pytest.mark.parametrize('port', [None, 'x', 1.5, True, 0])
def test_ports_are_numbers(port, client, tmp_path):
    case = Case('port', lambda _: serve(client.page, port=port), '--port is .* but must be')
    case.check(tmp_path)
