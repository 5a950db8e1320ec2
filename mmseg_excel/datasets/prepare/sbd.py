"""Class masks of the Berkeley boundaries set (SBD), which are MATLAB files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import loadmat

from ..masks import check_mask_values


def read_sbd_mask(path: str | Path, num_classes: int) -> np.ndarray:
    """The class mask in one of SBD's ``cls/*.mat`` files, uint8 (H, W).

    Raises:
        ValueError: it is missing, is not such a file, or holds labels that are no class.
    """
    if not Path(path).is_file():
        raise ValueError(f'{path} does not exist')
    try:
        mask = loadmat(str(path), simplify_cells=True)['GTcls']['Segmentation']
    except Exception as error:  # scipy raises whatever the bytes provoke
        raise ValueError(f"{path} is not one of SBD's class masks ({error})") from None
    mask = np.atleast_2d(np.asarray(mask)).astype(np.uint8)
    check_mask_values(mask, num_classes, path)
    return mask
