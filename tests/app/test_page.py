"""The page in a real browser."""

import json
import re
import socket
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_excel.app.desk import Desk
from mmseg_excel.app.model import load_model
from mmseg_excel.app.page import build_page
from mmseg_excel.app.server import serve
from mmseg_excel.app.uploads import MAX_BYTES

WAIT = 120


@pytest.fixture(scope='module')
def url(desk):
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    page = build_page(desk)
    yield serve(page, port=port)
    page.close()


class Visitor:
    """What somebody can do on the page, and read there."""

    def __init__(self, browser, url: str) -> None:
        self.browser, self.url = browser, url
        for log in ('browser', 'performance'):
            browser.get_log(log)
        browser.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})  # of other tests
        browser.get(url)
        self.wait(lambda: self.legend())

    def wait(self, condition) -> None:
        end = time.monotonic() + WAIT
        while not condition():
            assert time.monotonic() < end, f'still waiting; the page says: {self.text("note")}'
            time.sleep(0.05)

    def find(self, selector: str):
        return self.browser.find_element('css selector', selector)

    def text(self, name: str) -> str:
        return self.browser.execute_script(
            'const e = document.getElementById(arguments[0]); return e ? e.innerText.trim() : ""',
            name,
        )

    def legend(self, name: str = 'legend') -> dict[str, float]:
        """Label -> share in percent."""
        entries = self.browser.execute_script(
            'return [...document.querySelectorAll(`#${arguments[0]} li`)].map(e => e.innerText)',
            name,
        )
        pairs = (entry.removesuffix('%').strip().rsplit(' ', 1) for entry in entries)
        return {label.strip(): float(share) for label, share in pairs}

    def captions(self, name: str) -> list[str]:
        return self.browser.execute_script(
            'return [...document.querySelectorAll(`#${arguments[0]} figcaption`)]'
            '.map(e => e.innerText)',
            name,
        )

    def sources(self, name: str) -> list[str]:
        return self.browser.execute_script(
            'return [...document.querySelectorAll(`#${arguments[0]} img`)].map(e => e.src)', name
        )

    def picture_size(self) -> list[int]:
        return self.browser.execute_script(
            "const i = document.querySelector('#picture img');"
            'return i ? [i.naturalWidth, i.naturalHeight] : []'
        )

    def send(self, path: Path) -> None:
        self.find('#upload input[type=file], input#upload, input[type=file]').send_keys(str(path))

    def type(self, words: str, name: str = 'classes') -> None:
        from selenium.webdriver import Keys

        field = self.find(f'#{name} textarea, #{name} input')
        field.send_keys(Keys.CONTROL + 'a')
        field.send_keys(Keys.DELETE)
        field.send_keys(words)
        self.find(f'#{name} button').click()

    def set_slider(self, name: str, value: float) -> None:
        """Drag a slider's handle: the browser's own input and change events."""
        self.browser.execute_script(
            'const e = document.querySelector(`#${arguments[0]} input[type=range]`);'
            'e.value = arguments[1];'
            "for (const kind of ['input', 'change', 'pointerup'])"
            '  e.dispatchEvent(new Event(kind, {bubbles: true}));',
            *(name, value),
        )

    def choices(self, name: str) -> list[str]:
        labels = self.browser.find_elements('css selector', f'#{name} label')
        return [label.text.strip() for label in labels]

    def choose(self, name: str, choice: str) -> None:
        """Click on one of several choices."""
        labels = self.browser.find_elements('css selector', f'#{name} label')
        next(label for label in labels if label.text.strip() == choice).click()

    def shows(self, name: str) -> bool:
        """Whether a component is there to be seen."""
        return any(e.is_displayed() for e in self.browser.find_elements('id', name))

    def clicked_column(self) -> float:
        """Where, from the left, the attention that is shown comes from; NaN without a click."""
        found = re.match(r'From \((\d+),', self.text('attention_note'))
        return float(found[1]) if found else float('nan')

    def click_at(self, x: float, y: float) -> None:
        """Click on the picture, at shares of its width and height."""
        from selenium.webdriver import ActionChains

        image = self.find('#picture img')
        self.browser.execute_script('arguments[0].scrollIntoView({block: "center"})', image)
        width, height = image.size['width'], image.size['height']
        offset = round((x - 0.5) * width), round((y - 0.5) * height)
        ActionChains(self.browser).move_to_element_with_offset(image, *offset).click().perform()


@pytest.fixture
def visitor(browser, url):
    visitor = Visitor(browser, url)
    yield visitor
    errors = [e for e in browser.get_log('browser') if e['level'] == 'SEVERE']
    assert errors == []


def test_it_begins_with_a_toy_scene_and_says_so(visitor):
    assert 'Toy world' in visitor.text('notice')
    assert 'Toy world' not in visitor.text('note')
    assert 100 == pytest.approx(sum(visitor.legend().values()), abs=0.3)
    assert visitor.legend('prediction_legend')
    assert len(visitor.captions('maps')) >= 1


def test_a_picture_and_any_words(visitor, tmp_path):
    """Upload, type, move a slider, click a point, read the legend."""
    pixels = np.full((120, 200, 3), (60, 120, 200), np.uint8)
    pixels[30:90, 80:140] = (200, 40, 30)
    Image.fromarray(pixels).save(tmp_path / 'own.png')
    visitor.send(tmp_path / 'own.png')
    visitor.wait(lambda: visitor.picture_size() == [400, 240])

    visitor.type('red box, <b>sea</b>')
    visitor.wait(lambda: visitor.captions('maps') == ['red box', '<b>sea</b>'])
    visitor.wait(lambda: 'no descriptions of “red box”' in visitor.text('note'))
    assert set(visitor.legend()) <= {'background', 'red box', '<b>sea</b>'}
    assert sum(visitor.legend().values()) == pytest.approx(100, abs=0.3)

    before = visitor.sources('maps')
    visitor.set_slider('num_layers', 2)
    visitor.wait(lambda: visitor.sources('maps') not in (before, []))

    assert 'Click on the picture' in visitor.text('attention_note')
    visitor.click_at(0.25, 0.75)
    visitor.wait(lambda: visitor.text('attention_note').startswith('From ('))
    x, y = map(float, visitor.text('attention_note')[6:].split(')')[0].split(','))
    assert abs(x - 50) <= 2 and abs(y - 90) <= 2
    assert 'last 2 blocks' in visitor.text('attention_note')
    assert visitor.captions('attention') == ['q-k', 'SVC', 'SVC + LVC']

    # The attention follows the slider, too.
    before = visitor.sources('attention')
    visitor.set_slider('num_layers', 8)
    visitor.wait(lambda: 'last 8 blocks' in visitor.text('attention_note'))
    assert visitor.sources('attention')[1] != before[1]


def test_the_models_own_classes_and_their_knobs(visitor):
    visitor.type('cat, boat')
    visitor.wait(lambda: visitor.captions('maps') == ['boat', 'cat'])
    visitor.wait(lambda: 'Attributes from descriptions' in visitor.text('note'))
    for name, value in {'attribute_weight': 1, 'keep_ratio': 0.1}.items():
        before = visitor.sources('maps')
        visitor.set_slider(name, value)
        visitor.wait(lambda: visitor.sources('maps') != before)  # noqa: B023
    before = visitor.sources('pseudo_label')
    visitor.set_slider('par_iterations', 0)
    visitor.wait(lambda: visitor.sources('pseudo_label') != before)
    visitor.type('')
    visitor.wait(lambda: visitor.text('note') == 'Type at least one class name.')


def test_it_survives_what_people_send(visitor, tmp_path):
    """A text file renamed .jpg, 50 megapixels, a file too large, twenty quick clicks."""
    (tmp_path / 'letter.jpg').write_text('Dear Sir or Madam')
    visitor.send(tmp_path / 'letter.jpg')
    visitor.wait(lambda: 'letter.jpg is not an image that can be read' in visitor.text('note'))

    Image.new('RGB', (8192, 6144), (30, 90, 200)).save(tmp_path / 'big.jpg')
    visitor.send(tmp_path / 'big.jpg')
    visitor.wait(lambda: visitor.picture_size() == [640, 480])
    visitor.wait(lambda: 'Answered in' in visitor.text('note'))

    for number in range(20):
        visitor.click_at(0.05 + number * 0.045, 0.5)
    # The last click, 0.905 of 640 pixels, as exactly as the window shows them.
    visitor.wait(lambda: abs(visitor.clicked_column() - 579) <= 4)
    visitor.type('sea')
    visitor.wait(lambda: visitor.captions('maps') == ['sea'])
    assert sum(visitor.legend().values()) == pytest.approx(100, abs=0.3)


def test_a_file_too_large_is_refused_before_it_is_read(url):
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
    body += bytes(MAX_BYTES + 1) + b'\r\n--x--\r\n'
    request = urllib.request.Request(
        f'{url}gradio_api/upload',
        body,
        {'Content-Type': 'multipart/form-data; boundary=x'},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 413


def test_nothing_leaves_the_machine(visitor, url):
    requests = [json.loads(e['message'])['message'] for e in visitor.browser.get_log('performance')]
    urls = {
        message['params']['request']['url']
        for message in requests
        if message['method'] == 'Network.requestWillBeSent'
    }
    assert len(urls) > 10
    assert [u for u in urls if not u.startswith((url, 'data:', 'blob:'))] == []
    assert "default-src 'self'" in urllib.request.urlopen(url).headers['Content-Security-Policy']
    assert '127.0.0.1' in url


@pytest.mark.parametrize('width', [1280, 390])
def test_it_fits_the_screen(visitor, width):
    visitor.browser.execute_cdp_cmd(
        'Emulation.setDeviceMetricsOverride',
        dict(width=width, height=800, deviceScaleFactor=1, mobile=width < 600),
    )
    visitor.wait(lambda: visitor.picture_size())
    assert visitor.browser.execute_script('return document.documentElement.scrollWidth') <= width
    visitor.browser.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


def test_the_method_menu(browser, desk):
    """Another method answers by its own settings; what it lacks is not offered."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    others = [Desk(load_model(name, device='cpu')) for name in ('weclip_toy', 'clip_es_toy')]
    page = build_page(desk, *others)
    try:
        visitor = Visitor(browser, serve(page, port=port))
        assert visitor.choices('method') == ['ExCEL', 'WeCLIP', 'CLIP-ES']
        before = visitor.sources('maps')
        visitor.choose('method', 'CLIP-ES')
        visitor.wait(lambda: visitor.sources('maps') not in (before, []))
        visitor.wait(lambda: 'names alone are the texts' in visitor.text('note'))
        visitor.wait(lambda: visitor.shows('background_power') and not visitor.shows('num_layers'))
        assert not visitor.legend('prediction_legend')
        visitor.choose('method', 'ExCEL')
        visitor.wait(lambda: visitor.sources('maps') == before)
        assert visitor.shows('num_layers') and not visitor.shows('background_power')
    finally:
        browser.get('about:blank')  # or the page would complain of its server's end
        page.close()
