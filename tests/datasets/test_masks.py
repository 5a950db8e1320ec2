from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mmseg_excel.datasets.masks import labels_in, read_mask, write_mask


@pytest.mark.parametrize('palette', [None, [[9, 8, 7], [1, 2, 3]]])
@pytest.mark.parametrize('labels', [[0, 1], [0, 1, 255], [255], [0, 20, 3]])
def test_round_trip(tmp_path, palette, labels):
    mask = np.resize(np.array(labels, np.uint8), (7, 9))
    write_mask(tmp_path / 'folder/mask.png', mask, palette)
    assert np.array_equal(read_mask(tmp_path / 'folder/mask.png', 21), mask)
    assert labels_in(mask).tolist() == sorted(label for label in labels if label != 255)
    with Image.open(tmp_path / 'folder/mask.png') as image:
        assert image.getpalette()[:3] == (palette or [[0, 0, 0]])[0]
        # Border pixels are VOC's pale grey in any viewer.
        assert image.convert('RGB').getpixel((0, 0)) == (224, 224, 192) or mask[0, 0] != 255


def test_values_above_the_classes_are_named(tmp_path):
    write_mask(tmp_path / 'mask.png', np.array([[3, 4, 255]], np.uint8))
    with pytest.raises(ValueError, match=r'mask.png holds the values \[4\]; only 0..3 and 255'):
        read_mask(tmp_path / 'mask.png', 4)
