import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

from mmseg_excel.models.tta import ExCELTTAModel
from tests.golden.reference import golden

SIZES = (320, 224, 384, 480)


class Segmentor(nn.Module):
    """Stands where the trained segmentor would: only its views' predictions are needed."""

    def test_step(self, data):
        return data


def sample(logits, path=''):
    return SegDataSample(
        seg_logits=PixelData(data=torch.as_tensor(logits)), metainfo=dict(img_path=path)
    )


def view_samples():
    """The reference's logits of its eight views (per scale, image then mirror) at 90x120."""
    views = []
    for size in SIZES:
        plain, mirrored = torch.from_numpy(golden()[f'infer_lowres_logits_{size}'])
        for logits in (plain, mirrored.flip(-1)):
            views.append(F.interpolate(logits[None], (90, 120), mode='bilinear')[0])
    return views


def test_equals_the_reference_without_the_view_it_forgets():
    views = view_samples()
    views[1] = views[0]  # the reference counts the first view twice instead of mirroring it
    [merged] = ExCELTTAModel(Segmentor()).merge_preds([[sample(view) for view in views]])
    expected = torch.from_numpy(golden()['infer_msc_logits_val'])[0]
    assert (merged.seg_logits.data - expected).abs().max() < 1e-4
    assert torch.equal(merged.pred_sem_seg.data[0], expected.argmax(0))


def test_every_view_counts_the_same():
    views = view_samples()
    [merged] = ExCELTTAModel(Segmentor()).merge_preds([[sample(view) for view in views]])
    expected = sum(view.double() for view in views) / 8
    assert (merged.seg_logits.data - expected).abs().max() < 1e-5


def test_merges_logits_not_probabilities():
    # Averaged probabilities would choose class 0: (0.998, 0.002) and (0.378, 0.622).
    views = [sample([[[6.0]], [[0.0]]]), sample([[[0.0]], [[6.5]]])]
    [merged] = ExCELTTAModel(Segmentor()).merge_preds([views])
    assert merged.pred_sem_seg.data.item() == 1


def test_post_processor_sees_the_original_photograph(tmp_path):
    arrays = golden()
    path = str(tmp_path / 'image.png')
    cv2.imwrite(path, arrays['crf_image_u8'][..., ::-1])
    logits = np.log(np.maximum(arrays['crf_prob'].astype(np.float32), 1e-8))
    model = ExCELTTAModel(Segmentor(), post_processor=dict(type='DenseCRF'))
    [merged] = model.merge_preds([[sample(logits, path), sample(logits, path)]])
    different = merged.pred_sem_seg.data[0].numpy() != arrays['crf_argmax']
    assert different.mean() < 1e-3


def test_a_broken_photograph_is_named(tmp_path):
    path = tmp_path / 'broken.jpg'
    path.write_bytes(b'not a photograph')
    model = ExCELTTAModel(Segmentor(), post_processor=dict(type='DenseCRF'))
    with pytest.raises(ValueError, match='broken.jpg'):
        model.merge_preds([[sample(torch.zeros(2, 4, 4), str(path))]])
