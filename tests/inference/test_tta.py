import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

from mmseg_excel.inference.tta import LogitTTAModel
from tests.golden.model import build_golden_model
from tests.golden.reference import golden, golden_tensor
from tests.tolerance import assert_near, assert_same_labels

SIDES = (320, 224, 384, 480)
EXACT_CRF = dict(type='DenseCRF', min_probability=0.0)


class Segmentor(nn.Module):
    """Stands where a trained segmentor would when only its views' predictions matter."""

    def test_step(self, data):
        return data


@pytest.fixture(scope='module')
def golden_model():
    return build_golden_model()


def reference_views():
    """The reference's logits of its eight views (per scale, image then mirror) at 90x120."""
    views = []
    for side in SIDES:
        plain, mirrored = golden_tensor(f'infer_lowres_logits_{side}')
        for logits in (plain, mirrored.flip(-1)):
            views.append(F.interpolate(logits[None], (90, 120), mode='bilinear')[0])
    return views


def photograph():
    """The golden photograph as the pipeline packs it: BGR, (3, 90, 120)."""
    return golden_tensor('infer_image_u8')[0].flip(0)


def batch_of(*images):
    samples = [
        SegDataSample(metainfo=dict(ori_shape=tuple(image.shape[1:]), img_path=''))
        for image in images
    ]
    return dict(inputs=list(images), data_samples=samples)


def sample_with(logits, path=''):
    return SegDataSample(
        seg_logits=PixelData(data=torch.as_tensor(logits)), metainfo=dict(img_path=path)
    )


def test_views_made_on_the_device_equal_the_reference(golden_model):
    [merged] = LogitTTAModel(golden_model).test_step(batch_of(photograph()))
    expected = sum(reference_views()) / 8
    assert_near(merged.seg_logits.data, expected)
    assert_same_labels(merged.pred_sem_seg.data[0], expected.argmax(0), expected)


def test_images_of_one_batch_do_not_influence_each_other(golden_model):
    model = LogitTTAModel(golden_model, size=64, scales=(1.0, 1.5))
    images = [photograph(), photograph()[:, :40, 10:90], photograph().flip(-1)]
    together = model.test_step(batch_of(*images))
    for image, merged in zip(images, together, strict=True):
        [alone] = model.test_step(batch_of(image))
        assert merged.seg_logits.data.shape == (21, *image.shape[1:])
        assert_near(merged.seg_logits.data, alone.seg_logits.data)


def test_a_mirrored_photograph_gives_the_mirrored_answer(golden_model):
    model = LogitTTAModel(golden_model, size=64, scales=(1.0,))
    [plain] = model.test_step(batch_of(photograph()))
    [mirrored] = model.test_step(batch_of(photograph().flip(-1)))
    assert_near(mirrored.seg_logits.data.flip(-1), plain.seg_logits.data)


def test_without_flip_only_the_plain_views_count(golden_model):
    model = LogitTTAModel(golden_model, flip=False)
    [merged] = model.test_step(batch_of(photograph()))
    expected = sum(reference_views()[::2]) / 4
    assert_near(merged.seg_logits.data, expected)


def test_views_of_the_pipeline_are_merged_as_well(golden_model):
    """MMSegmentation's TestTimeAug rounds resized views to whole grey levels, hence 0.05."""
    view = cv2.resize(photograph().permute(1, 2, 0).numpy(), (320, 320))
    inputs, samples = [], []
    for flip in (False, True):
        image = torch.from_numpy(view[:, ::-1].copy() if flip else view).permute(2, 0, 1)
        meta = dict(ori_shape=(90, 120), img_path='', flip=flip, flip_direction='horizontal')
        inputs.append([image])
        samples.append([SegDataSample(metainfo=meta)])
    [merged] = LogitTTAModel(golden_model).test_step(dict(inputs=inputs, data_samples=samples))
    expected = sum(reference_views()[:2]) / 2
    assert (merged.seg_logits.data - expected).abs().max() < 0.05


def test_equals_the_reference_without_the_view_it_forgets():
    views = reference_views()
    views[1] = views[0]  # the reference counts the first view twice instead of mirroring it
    [merged] = LogitTTAModel(Segmentor()).merge_preds([[sample_with(view) for view in views]])
    expected = golden_tensor('infer_msc_logits_val')[0]
    assert_near(merged.seg_logits.data, expected)
    assert_same_labels(merged.pred_sem_seg.data[0], expected.argmax(0), expected)


def test_merges_logits_not_probabilities():
    # Averaged probabilities would choose class 0: (0.998, 0.002) and (0.378, 0.622).
    views = [sample_with([[[6.0]], [[0.0]]]), sample_with([[[0.0]], [[6.5]]])]
    [merged] = LogitTTAModel(Segmentor()).merge_preds([views])
    assert merged.pred_sem_seg.data.item() == 1


def test_post_processor_sees_the_original_photograph(tmp_path):
    arrays = golden()
    path = str(tmp_path / 'image.png')
    cv2.imwrite(path, arrays['crf_image_u8'][..., ::-1])
    logits = np.log(np.maximum(arrays['crf_prob'].astype(np.float32), 1e-8))
    model = LogitTTAModel(Segmentor(), post_processor=EXACT_CRF)
    [merged] = model.merge_preds([[sample_with(logits, path), sample_with(logits, path)]])
    different = merged.pred_sem_seg.data[0].numpy() != arrays['crf_argmax']
    assert different.mean() < 1e-3  # the logarithm and its softmax round


def test_a_broken_photograph_is_named(tmp_path):
    path = tmp_path / 'broken.jpg'
    path.write_bytes(b'not a photograph')
    model = LogitTTAModel(Segmentor(), post_processor=dict(type='DenseCRF'))
    with pytest.raises(ValueError, match='broken.jpg'):
        model.merge_preds([[sample_with(torch.zeros(2, 4, 4), str(path))]])


def test_scales_that_cut_patches_are_refused(golden_model):
    with pytest.raises(ValueError, match='45x45 pixels does not consist of whole patches'):
        LogitTTAModel(golden_model, size=64, scales=(0.7,))


def test_training_free_maps_have_no_logits_to_average(golden_model, monkeypatch):
    monkeypatch.setitem(golden_model.test_cfg, 'source', 'cam')
    with pytest.raises(ValueError, match="test_cfg.source is 'cam'"):
        LogitTTAModel(golden_model)
