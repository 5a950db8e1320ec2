"""Class masks of the Berkeley boundaries set (SBD), which are MATLAB files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import loadmat

from ...utils.bad_input import BadInput
from ...utils.checks import in_one_line
from ...utils.text_file import check_size
from ..masks import IGNORED, check_mask_values

#: SBD's have a few thousand. Compressed, they may hold a thousand times as much.
MOST_BYTES = 256 * 2**10


def read_sbd_mask(path: str | Path, num_classes: int) -> np.ndarray:
    """The class mask in one of SBD's ``cls/*.mat`` files, uint8 (H, W).

    Raises:
        FileNotFoundError: there is no such file.
        BadInput: it is not such a file, or holds labels that are no class.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f'{path} does not exist: restore it.')
    check_size(path, 'mask of SBD', MOST_BYTES)
    try:
        content = loadmat(str(path), simplify_cells=True, variable_names=['GTcls'])
        mask = np.atleast_2d(np.asarray(content['GTcls']['Segmentation']))
    except Exception as error:  # scipy raises whatever the bytes provoke
        raise BadInput(f"{path} is not one of SBD's class masks ({in_one_line(error)})") from None
    if mask.ndim != 2 or mask.dtype.kind not in 'iu' or not mask.size:
        raise BadInput(f"{path} is not one of SBD's class masks (no whole numbers, H x W)")
    if mask.min() < 0 or mask.max() > IGNORED:
        raise BadInput(f'{path} holds values outside of 0..{IGNORED}')
    mask = mask.astype(np.uint8)
    check_mask_values(mask, num_classes, path)
    return mask
