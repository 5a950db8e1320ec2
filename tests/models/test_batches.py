"""Images that are predicted as a batch have the labels they would have alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmseg_excel.utils.bad_input import BadInput

from ..golden.model import golden_config
from ..tolerance import assert_near, assert_same_labels

CONFIGS = Path(__file__).parents[2] / 'configs'
SHAPES = [(75, 100), (100, 60), (96, 96)]
OF_ONE_SIZE = ('excel_voc', 'excel_coco', 'excel_tags', 'excel_toy', 'weclip_toy')
OF_THEIR_OWN = ('weclip_voc', 'weclip_coco', 'clip_es_voc', 'clip_es_coco', 'clip_es_toy')


def photographs(count: int = 3) -> list[torch.Tensor]:
    coarse = 255 * torch.rand(count, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    return list(F.interpolate(coarse, (96, 96), mode='bilinear').to(torch.uint8))


def samples() -> list[SegDataSample]:
    return [SegDataSample(metainfo=dict(ori_shape=shape)) for shape in SHAPES]


@pytest.mark.parametrize('vocabulary', ['voc', 'coco'])
@torch.no_grad()
def test_a_batch_is_predicted_as_its_images_are(vocabulary, device):
    torch.manual_seed(0)
    model = MODELS.build(golden_config(text_head__vocabulary=vocabulary)).eval()
    model.init_weights()
    model.to(device)
    together = model.val_step(dict(inputs=photographs(), data_samples=samples()))
    for result, image, sample in zip(together, photographs(), samples(), strict=True):
        [alone] = model.val_step(dict(inputs=[image], data_samples=[sample]))
        assert_near(result.seg_logits.data, alone.seg_logits.data)
        labels = [found.pred_sem_seg.data[0] for found in (result, alone)]
        assert_same_labels(*labels, alone.seg_logits.data, undecided=0.02)


def test_images_of_different_sizes_are_refused_by_their_sizes():
    preprocessor = MODELS.build(golden_config()['data_preprocessor'])
    images = [torch.zeros(3, 8, side, dtype=torch.uint8) for side in (16, 8, 16)]
    with pytest.raises(BadInput, match='one batch have 8x8, 8x16 pixels: .* batch_size=1'):
        preprocessor(dict(inputs=images))


@pytest.mark.parametrize('recipe', OF_ONE_SIZE + OF_THEIR_OWN)
def test_recipes_predict_in_batches_where_images_have_one_size(recipe):
    cfg = Config.fromfile(CONFIGS / f'{recipe}.py')
    for loader in (cfg.val_dataloader, cfg.test_dataloader, cfg.get('format_only_dataloader')):
        if loader is not None:
            assert (loader.batch_size > 1) == (recipe in OF_ONE_SIZE)
