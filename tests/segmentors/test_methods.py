"""The methods of the package, each held to what holds for all."""

from __future__ import annotations

import pytest
import torch

from mmseg_excel.utils.bad_input import BadInput

from .base import SegmentorTests

pytestmark = pytest.mark.slow


class TestExCEL(SegmentorTests):
    recipe = 'excel_toy.py'


class TestMaskCLIP(SegmentorTests):
    """The settings of ``configs/baselines/maskclip.py``, on the toy world."""

    recipe = 'excel_toy.py'
    trained = False
    options = {
        'model.neck.mode': 'v-v',
        'model.neck.num_layers': 1,
        'model.text_head.mode': 'global',
        'model.test_cfg.source': 'cam',
    }


class TestWeCLIP(SegmentorTests):
    recipe = 'weclip_toy.py'


class TestCLIPES(SegmentorTests):
    recipe = 'clip_es_toy.py'
    trained = False
    # Images are resized to whole patches before the model sees them.
    sizes = ((64, 64), (64, 88), (8, 120), (8, 8))

    def test_images_of_other_sizes_are_refused(self, model):
        samples = self.samples(model, [()])
        with pytest.raises(BadInput, match='80 x 61 pixels, .* patch_size of ResizeToPatches .* 8'):
            model.pseudo_labels(torch.zeros(1, 3, 61, 80), samples)
