"""Is an image file whole? Decoders answer with half pictures or with errors that name no file."""

from __future__ import annotations

import os

from PIL import Image

JPEG_START, JPEG_END = b'\xff\xd8', b'\xff\xd9'
JPEG_TAIL_BYTES = 64 * 1024
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')


def without_image_suffix(name: str) -> str:
    """A file name without the suffix of an image; other dots are part of the name."""
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in IMAGE_SUFFIXES else name


def is_cut_jpeg(path: str) -> bool:
    """Whether a JPEG lacks its end marker: OpenCV fills the missing part with grey, silently.

    Reads two bytes and the tail of the file, so it is cheap enough for every image of every epoch.
    Bytes after the end marker are tolerated as long as the marker is in the last 64 KiB.
    """
    with open(path, 'rb') as file:
        if file.read(2) != JPEG_START:
            return False
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - JPEG_TAIL_BYTES))
        return JPEG_END not in file.read()


def why_unreadable(path: str) -> str | None:
    """Decode the whole image; what is wrong with it as half a sentence, or ``None``."""
    if not os.path.isfile(path):
        return 'does not exist'
    if os.path.getsize(path) == 0:
        return 'is an empty file'
    if is_cut_jpeg(path):
        return 'is a truncated JPEG'
    try:
        with Image.open(path) as image:
            image.load()
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error...
        return f'is not a readable image ({_without_path(error)})'
    return None


def _without_path(error: Exception) -> str:
    return 'unknown format' if 'cannot identify' in str(error) else str(error)
