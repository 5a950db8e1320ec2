"""On the toy world attributes are worth having (the paper's claim, ExCEL supplement, Table 2a)."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.toy_texts import SEEDS, SETTINGS, map_miou_of_texts, toy_clip, toy_texts

MODES = ('Global', 'Fuse', 'Attributes')


@pytest.fixture(scope='module')
def scores(tmp_path_factory):
    """Mean map mIoU of each mode over three seeds of scenes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('MMSEG_EXCEL_CACHE', str(tmp_path_factory.mktemp('cache')))
        clip = toy_clip()
        texts = toy_texts(clip, {mode: SETTINGS[mode] for mode in MODES})
    runs = [map_miou_of_texts(clip, texts, seed, num_scenes=48) for seed in SEEDS]
    return {mode: np.mean([run[mode] for run in runs]) for mode in MODES}


@pytest.mark.parametrize('other', ['Global', 'Fuse'])
def test_attributes_segment_no_worse_than(scores, other):
    assert scores['Attributes'] >= scores[other], scores
