"""Pictures from strangers, decoded within limits."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..utils.bad_input import BadInput
from ..utils.checks import shown

MAX_BYTES = 20 * 2**20
MAX_PIXELS = 64_000_000
LONGEST_SIDE = 640  # what is kept; CLIP sees less
ORIENTATION = 0x0112  # EXIF
# Formats that Pillow decodes by itself, without starting other programs.
FORMATS = ('JPEG', 'PNG', 'WEBP', 'BMP', 'TIFF', 'GIF')


def read_upload(path: str | Path) -> np.ndarray:
    """Decode an image file that somebody sent.

    Size and structure are checked before a pixel is decoded. Large images are shrunk to
    ``LONGEST_SIDE``, rotated as EXIF says; of an animation the first picture counts.

    Returns:
        uint8 RGB, (H, W, 3).

    Raises:
        BadInput: If the file is too large, no image, or a damaged one; one sentence for its
            sender.
    """
    if not isinstance(path, str | os.PathLike):
        raise BadInput(f'{shown(path)} is no file: choose a picture to send.')
    name = Path(path).name[:80]
    if not os.path.isfile(path):
        raise BadInput(f'{name} is gone: send it again.')
    if os.path.getsize(path) > MAX_BYTES:
        raise BadInput(f'{name} is larger than {MAX_BYTES // 2**20} MB: send a smaller file.')
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if width * height <= MAX_PIXELS:
                image.verify()
        if width * height <= MAX_PIXELS:
            return _decode(path)
    except Image.DecompressionBombError:
        raise BadInput(_too_many_pixels(name)) from None
    except Exception:  # Pillow raises OSError, SyntaxError, ValueError, struct.error...
        raise BadInput(
            f'{name} is not an image that can be read: send a JPEG, PNG, WebP, BMP, TIFF or GIF '
            'file.'
        ) from None
    raise BadInput(_too_many_pixels(name))


def _decode(path: str | Path) -> np.ndarray:
    with Image.open(path, formats=FORMATS) as image:
        # A JPEG is decoded at a fraction of its size where that is enough.
        image.draft('RGB', (2 * LONGEST_SIDE, 2 * LONGEST_SIDE))
        picture = _eight_bits(image).convert('RGB')
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        # Told by the file: conversions may lose the orientation.
        orientation = _orientation(image)
        picture.info.pop('exif', None)
        picture.getexif()[ORIENTATION] = orientation
        return np.asarray(ImageOps.exif_transpose(picture))


def _orientation(image: Image.Image) -> int:
    """How the camera was held; upright if the file's EXIF cannot be read."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # SyntaxError, struct.error...
        return 1


def _eight_bits(image: Image.Image) -> Image.Image:
    """Sixteen bits a pixel would be clipped, not scaled."""
    if not image.mode.startswith('I;16'):
        return image
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def _too_many_pixels(name: str) -> str:
    return f'{name} has more than {MAX_PIXELS // 10**6} million pixels: send a smaller picture.'
