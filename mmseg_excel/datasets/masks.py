"""Masks as palette PNGs: 0 background, class index + 1, 255 ignored."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..utils.atomic import write_atomically
from ..utils.bad_input import BadInput
from ..utils.checks import shown
from ..utils.images import open_image
from .palette import check_colours, voc_palette

IGNORED = 255
#: Of Pillow: palette, grey and black-and-white, at most 8 bits.
_MODES = ('P', 'L', '1')


def read_mask(path: str | Path, num_classes: int) -> np.ndarray:
    """Read a palette or grey mask, uint8 (H, W), with values below ``num_classes`` or 255.

    Raises:
        FileNotFoundError: there is no such file.
        BadInput: it cannot be decoded, is a colour image, or holds other values.
    """
    with open_image(path) as image:
        if image.mode not in _MODES:
            kind = 'of 16 bits' if image.mode.startswith('I') else 'a colour image'
            raise BadInput(
                f'{path} is {kind} ({image.mode}), not a palette mask: a mask holds one class '
                'index of 8 bits per pixel, in a palette or grey PNG'
            )
        if image.format == 'JPEG':
            raise BadInput(f'{path} is a JPEG, which blurs labels: save masks as PNG')
        mask = np.asarray(image).astype(np.uint8)
    check_mask_values(mask, num_classes, path)
    return mask


def check_mask_values(mask: np.ndarray, num_classes: int, path: str | Path) -> None:
    """Refuse a mask that holds anything but class indices and 255.

    Raises:
        BadInput: Names the file and some of the values.
    """
    wrong = [int(value) for value in labels_in(mask) if value >= num_classes]
    if wrong:
        raise BadInput(
            f'{path} holds the values {wrong[:5]}; only 0..{num_classes - 1} and {IGNORED} '
            'mean anything'
        )


def labels_in(mask: np.ndarray) -> np.ndarray:
    """The values of a uint8 mask, ascending, without 255."""
    return np.flatnonzero(np.bincount(mask.ravel(), minlength=256)[:IGNORED])


def write_mask(
    path: str | Path, mask: np.ndarray, palette: Sequence[Sequence[int]] | None = None
) -> None:
    """Write a uint8 (H, W) mask as a palette PNG, whole or not at all.

    Args:
        path: The file; its folder is made if needed.
        mask: The labels.
        palette: RGB of the first labels; the others, 255 among them, have PASCAL VOC's.
            Default: PASCAL VOC's for all.

    Raises:
        BadInput: it is no such mask, or the palette is none.
    """
    if getattr(mask, 'dtype', None) != np.uint8 or mask.ndim != 2 or not mask.size:
        what = f'{mask.dtype} of shape {mask.shape}' if hasattr(mask, 'dtype') else shown(mask)
        raise BadInput(f'{path}: a mask is an uint8 array (H, W), not {what}.')
    palette = [] if palette is None else palette
    check_colours(f'{path}: the palette', palette)
    # All 256 colours: a PNG of few colours has few bits a pixel, and 255 would become 15.
    colours = [*palette, *voc_palette()[len(palette) :]]
    image = Image.fromarray(mask)
    image.putpalette(np.array(colours, np.uint8).tobytes())
    content = io.BytesIO()
    image.save(content, 'PNG')
    write_atomically(path, content.getvalue())
