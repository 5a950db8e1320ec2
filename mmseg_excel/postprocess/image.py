"""Reading a photograph exactly as MMSegmentation's loader does."""

from __future__ import annotations

import mmcv
import numpy as np
from mmengine import fileio


def read_rgb(path: str) -> np.ndarray:
    """The photograph at ``path`` as uint8 RGB, (H, W, 3).

    Decoded like ``LoadImageFromFile`` does (three colour channels, EXIF orientation applied), so
    it has the ``ori_shape`` of the loaded sample.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not a readable image.
    """
    image = mmcv.imfrombytes(fileio.get(path), flag='color')
    if image is None:
        raise ValueError(f'{path} is not an image that can be read: restore or remove the file.')
    return image[..., ::-1]
