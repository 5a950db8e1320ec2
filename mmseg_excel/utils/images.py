"""Image files, checked by their header before they are decoded.

Decoders answer broken files with half pictures or with errors that name no file, and a file of a
few bytes may claim to be a picture that fills all memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import mmcv
import numpy as np
from PIL import Image

from .bad_input import BadInput
from .checks import in_one_line
from .text_file import check_file

#: Of an image or mask that is read, and of one that is scaled.
MAX_PIXELS = 80_000_000
# How files of a format begin and end.
JPEG, PNG = (b'\xff\xd8', b'\xff\xd9'), (b'\x89PNG', b'IEND')
TAIL_BYTES = 64 * 1024
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
# What Pillow decodes by itself: for others, EPS among them, it starts programs.
_FORMATS = ('JPEG', 'PNG', 'TIFF', 'WEBP', 'BMP', 'GIF', 'PPM', 'JPEG2000')
_ORIENTATION = 0x0112  # EXIF
_LYING = (5, 6, 7, 8)  # values of it that exchange height and width
_DEEP_MODES = ('I', 'F')  # 32 bits a pixel, which OpenCV does not decode


def without_image_suffix(name: str) -> str:
    """A file name without the suffix of an image; other dots are part of the name."""
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in IMAGE_SUFFIXES else name


@contextmanager
def open_image(path: str | os.PathLike) -> Iterator[Image.Image]:
    """Open an image with Pillow, which decodes it when its pixels are asked for.

    Cheap enough for every image of every epoch: it reads the header and the tail of the file.

    Raises:
        FileNotFoundError: there is no such file.
        BadInput: it is empty, cut off or no image, has more than ``MAX_PIXELS`` or more than 16
            bits; or decoding it failed.
    """
    try:
        size = check_file(path, 'image')
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist: restore it.') from None
    if not size:
        raise BadInput(f'{path} is an empty file: replace it.')
    if _is_cut(path, *JPEG):
        raise BadInput(f'{path} is a truncated JPEG: replace it.')
    try:
        with Image.open(path, formats=_FORMATS) as image:
            check_pixels(*image.size, path)
            if _is_cut(path, *PNG):
                raise BadInput(f'{path} is not a readable image (a truncated PNG): replace it.')
            if image.mode in _DEEP_MODES and image.format != 'PNG':
                raise BadInput(f'{path} has 32 bits a pixel: save it with 8 or 16.')
            yield image
    except BadInput:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadInput(f'{path} {_too_large("by far")}') from None
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error...
        reason = _without_path(error)
        raise BadInput(f'{path} is not a readable image ({reason}): replace it.') from None


def check_pixels(width: int, height: int, what: object) -> None:
    """Refuse a size of more than ``MAX_PIXELS``.

    Raises:
        BadInput: Says what it is the size of.
    """
    if width * height > MAX_PIXELS:
        raise BadInput(f'{what} {_too_large(f"with {width} x {height} pixels")}')


def check_image(path: str | os.PathLike) -> None:
    """Check all that can be known without decoding it.

    Raises:
        FileNotFoundError, BadInput: of :func:`open_image`.
    """
    with open_image(path):
        pass


def decode_image(path: str | os.PathLike) -> tuple[int, int]:
    """Height and width of an image as it is loaded, turned as its EXIF orientation says.

    Raises:
        FileNotFoundError, BadInput: of :func:`open_image`; the image is decoded to the last pixel.
    """
    with open_image(path) as image:
        image.load()
        width, height = image.size
        lying = image.getexif().get(_ORIENTATION) in _LYING
    return (width, height) if lying else (height, width)


def read_rgb(path: str) -> np.ndarray:
    """The photograph at ``path`` as uint8 RGB, (H, W, 3).

    Decoded like MMSegmentation's ``LoadImageFromFile`` does (three colour channels, EXIF
    orientation applied), so it has the ``ori_shape`` of the loaded sample.

    Raises:
        FileNotFoundError: There is no such file.
        BadInput: The file is not a readable image, or too large.
    """
    check_image(path)
    with open(path, 'rb') as file:
        image = mmcv.imfrombytes(file.read(), flag='color')
    if image is None:
        raise BadInput(f'{path} is not an image that can be read: replace it.')
    return image[..., ::-1]


def _is_cut(path: str | os.PathLike, start: bytes, end: bytes) -> bool:
    """Whether a file of a format lacks its end marker: OpenCV fills what is missing, silently.

    Bytes after the end marker are tolerated as long as the marker is in the last 64 KiB.
    """
    with open(path, 'rb') as file:
        if file.read(len(start)) != start:
            return False
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        return end not in file.read()


def _too_large(size: str) -> str:
    return f'is too large {size}: shrink it to at most {MAX_PIXELS // 10**6} million pixels.'


def _without_path(error: Exception) -> str:
    return 'unknown format' if 'cannot identify' in str(error) else in_one_line(error)
