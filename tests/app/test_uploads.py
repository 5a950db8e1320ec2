import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mmseg_excel.app.uploads import LONGEST_SIDE, MAX_BYTES, read_upload


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)


@pytest.mark.parametrize('suffix', ['png', 'bmp', 'tiff', 'webp'])
def test_small_pictures_come_back_as_they_were(pixels, tmp_path, suffix):
    path = tmp_path / f'picture.{suffix}'
    Image.fromarray(pixels).save(path, **(dict(lossless=True) if suffix == 'webp' else {}))
    assert np.array_equal(read_upload(path), pixels)


@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'RGBA', 'I;16'])
def test_any_kind_of_pixel_becomes_rgb(pixels, tmp_path, mode):
    if mode == 'I;16':
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 256)
    else:
        image = Image.fromarray(pixels).convert(mode)
    image.save(tmp_path / 'picture.png')
    read = read_upload(tmp_path / 'picture.png')
    assert read.shape == (30, 50, 3) and read.dtype == np.uint8
    assert read.std() > 40 and 60 < read.mean() < 195


def test_photographs_stand_upright(tmp_path):
    wide = Image.new('RGB', (40, 20))
    wide.paste((255, 0, 0), (0, 0, 20, 20))
    exif = wide.getexif()
    exif[0x0112] = 6  # to be turned clockwise: what was left is at the top
    wide.save(tmp_path / 'photo.jpg', exif=exif, quality=95)
    upright = read_upload(tmp_path / 'photo.jpg')
    assert upright.shape == (40, 20, 3)
    assert upright[5, 10, 0] > 200 and upright[35, 10, 0] < 50


def test_fifty_megapixels_are_shrunk(tmp_path):
    big = Image.new('RGB', (8192, 6144), (10, 200, 30))
    big.save(tmp_path / 'big.jpg')
    small = read_upload(tmp_path / 'big.jpg')
    assert small.shape == (LONGEST_SIDE * 3 // 4, LONGEST_SIDE, 3)
    assert np.abs(small.reshape(-1, 3).mean(0) - (10, 200, 30)).max() < 3


def _png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header promises more than there is."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack('>I', zlib.crc32(kind + data))
        return struct.pack('>I', len(data)) + kind + data + check

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    data = chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(b'\0')) + chunk(b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + data


def _jpeg(folder) -> bytes:
    Image.new('RGB', (64, 64), 'red').save(folder / 'whole.jpg')
    return (folder / 'whole.jpg').read_bytes()


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda t: b'no picture at all', 'bad.jpg is not an image that can be read: send a JPEG'),
        (lambda t: b'', 'bad.jpg is not an image'),
        (lambda t: b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n', 'is not an image'),
        (lambda t: _jpeg(t)[:300], 'is not an image'),
        (lambda t: _png_of_size(10, 10), 'is not an image'),
        (lambda t: _png_of_size(9000, 8000), 'bad.jpg has more than 64 million pixels'),
        (lambda t: _png_of_size(100_000, 100_000), 'has more than 64 million pixels'),
        (lambda t: bytes(MAX_BYTES + 1), 'bad.jpg is larger than 20 MB'),
    ],
)
def test_what_cannot_be_used_is_told_in_one_sentence(tmp_path, make, message):
    (tmp_path / 'bad.jpg').write_bytes(make(tmp_path))
    with pytest.raises(ValueError, match=message) as error:
        read_upload(tmp_path / 'bad.jpg')
    assert str(tmp_path) not in str(error.value)
