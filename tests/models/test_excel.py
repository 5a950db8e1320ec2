"""ExCEL: tags, logits and checkpoints; what holds for all methods is in tests/segmentors."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import LabelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from ..golden.model import build_golden_model, golden_config
from ..tolerance import assert_near, assert_same_labels


@pytest.fixture(scope='module')
def model(device):
    return build_golden_model().to(device)


@pytest.fixture
def images(device):
    torch.manual_seed(0)
    coarse = torch.randn(3, 3, 6, 6)
    return F.interpolate(coarse, size=(96, 96), mode='bicubic').to(device)


def samples(*tags: list[int], size=(96, 96)) -> list[SegDataSample]:
    result = []
    for tag in tags:
        sample = SegDataSample(metainfo=dict(ori_shape=size, img_shape=size))
        multi_hot = torch.zeros(20)
        multi_hot[tag] = 1
        sample.gt_tags = LabelData(multi_hot=multi_hot)
        result.append(sample)
    return result


def test_only_tagged_classes_are_labelled(model, images):
    result = model.pseudo_labels(images, samples([3, 7], [], [19]))
    assert set(result.labels[0].unique().tolist()) <= {0, 4, 8}
    assert set(result.labels[1].unique().tolist()) == {0}
    assert set(result.labels[2].unique().tolist()) <= {0, 20}
    assert result.channels.tolist() == [[0, 4, 8], [0, -1, -1], [0, 20, -1]]
    dense = result.dense_scores(21)
    assert torch.equal(dense.argmax(1), result.labels)
    assert dense[1, 1:].abs().sum() == 0


def test_logits_are_resized_once_straight_to_the_original(model, images):
    wanted = samples([0], size=(50, 70))
    with torch.no_grad():
        result = model.predict(images[:1], wanted)[0]
        low = model.lowres_logits(images[:1])
    direct = F.interpolate(low, size=(50, 70), mode='bilinear', align_corners=False)[0]
    assert_near(result.seg_logits.data, direct)
    assert_same_labels(result.pred_sem_seg.data[0], direct.argmax(0), direct)


def test_training_free_prediction_chooses_among_the_tags(images):
    model = build_golden_model().to(images.device)
    model.test_cfg['source'] = 'cam'
    result = model.predict(images, samples([3], [], [5, 6], size=(40, 60)))
    for sample, allowed in zip(result, ({0, 4}, {0}, {0, 6, 7}), strict=True):
        assert sample.pred_sem_seg.data.shape == (1, 40, 60)
        assert set(sample.pred_sem_seg.data.unique().tolist()) <= allowed


def test_missing_tags_are_named(model, images):
    sample = SegDataSample(metainfo=dict(img_path='JPEGImages/dog.jpg'))
    with pytest.raises(ValueError, match='JPEGImages/dog.jpg has no gt_tags.*LoadImageTags'):
        model.pseudo_labels(images[:1], [sample])


def test_maps_need_class_texts(images):
    model = MODELS.build(golden_config()).to(images.device)
    with pytest.raises(RuntimeError, match='encode_classes'):
        model.class_activation_maps(images)
    model.encode_classes()
    assert model.class_activation_maps(images).isfinite().all()


def test_wrong_number_of_outputs():
    with pytest.raises(ValueError, match='num_classes is 81.*set it to 21'):
        MODELS.build(golden_config(decode_head__num_classes=81))


def test_a_checkpoint_of_another_clip_or_class_list_is_refused(model):
    state = model.state_dict()
    other = MODELS.build(golden_config())
    other.backbone.sha256 = 'f' * 64
    with pytest.raises(ValueError, match='trained on the CLIP golden-tiny.*model.backbone'):
        other.load_state_dict(state)

    names = [f'class {i}' for i in range(20)]
    vocabulary = dict(classes=names, backgrounds=[f'ground {i}' for i in range(25)])
    other = MODELS.build(golden_config(text_head__vocabulary=vocabulary))
    with pytest.raises(ValueError, match='knows the 20 classes aeroplane.*but this model has'):
        other.load_state_dict(state)


def test_whoever_builds_one_computes_with_all_bits_of_float32(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', True)
    build_golden_model()
    assert not torch.backends.cudnn.allow_tf32
