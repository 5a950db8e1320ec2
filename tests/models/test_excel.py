"""What holds for the segmentor whatever its weights: independence, sizes, tags, checkpoints."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmengine.runner.checkpoint import load_checkpoint, save_checkpoint
from mmengine.structures import LabelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from mmseg_excel.models.trained_segmentor import Phase

from ..golden.model import build_golden_model, golden_config
from ..tolerance import assert_near, assert_same_labels


@pytest.fixture(scope='module')
def model():
    return build_golden_model()


@pytest.fixture
def images():
    torch.manual_seed(0)
    coarse = torch.randn(3, 3, 6, 6)
    return F.interpolate(coarse, size=(96, 96), mode='bicubic')


def samples(*tags: list[int], size=(96, 96)) -> list[SegDataSample]:
    result = []
    for tag in tags:
        sample = SegDataSample(metainfo=dict(ori_shape=size, img_shape=size))
        multi_hot = torch.zeros(20)
        multi_hot[tag] = 1
        sample.gt_tags = LabelData(multi_hot=multi_hot)
        result.append(sample)
    return result


@pytest.mark.parametrize('dynamic', [False, True])
def test_an_answer_does_not_depend_on_the_batch(model, images, dynamic):
    tags = [[3, 7], [1], [0, 4, 9]]
    together = model.pseudo_labels(images, samples(*tags), dynamic=dynamic)
    maps = model.class_activation_maps(images, dynamic=dynamic)
    for i, tag in enumerate(tags):
        alone = model.pseudo_labels(images[i : i + 1], samples(tag), dynamic=dynamic)
        scores = alone.scores[0]
        assert_near(together.scores[i, : len(tag) + 1], scores)
        assert_same_labels(together.labels[i], alone.labels[0], scores)
        only = model.class_activation_maps(images[i : i + 1], dynamic=dynamic)
        assert_near(maps[i], only[0])


def test_only_tagged_classes_are_labelled(model, images):
    result = model.pseudo_labels(images, samples([3, 7], [], [19]))
    assert set(result.labels[0].unique().tolist()) <= {0, 4, 8}
    assert set(result.labels[1].unique().tolist()) == {0}
    assert set(result.labels[2].unique().tolist()) <= {0, 20}
    assert result.channels.tolist() == [[0, 4, 8], [0, -1, -1], [0, 20, -1]]
    dense = result.dense_scores(21)
    assert torch.equal(dense.argmax(1), result.labels)
    assert dense[1, 1:].abs().sum() == 0


@pytest.mark.parametrize(
    'phase', [Phase(), Phase(dynamic=True), Phase(dynamic=True, pairs_from_prediction=True)]
)
@pytest.mark.parametrize('tags', [([], [], []), ([3], [], [5, 6])])
def test_images_without_tags_train_as_background(model, images, phase, tags):
    model.phase = phase
    losses = model.loss(images, samples(*tags))
    sum(losses.values()).backward()
    assert all(torch.isfinite(value) for value in losses.values())
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients and all(g.isfinite().all() for g in gradients)


@pytest.mark.parametrize('size', [(96, 96), (97, 83), (16, 200), (1, 1)])
def test_any_size_goes_in_and_the_same_comes_out(model, size):
    image = torch.randn(1, 3, *size)
    padded = F.pad(image, (0, -size[1] % 16, 0, -size[0] % 16))
    with torch.no_grad():
        logits = model.encode_decode(image)
        whole = model.encode_decode(padded)
    assert logits.shape == (1, 21, *size)
    assert_near(logits, whole[..., : size[0], : size[1]])
    labels = model.pseudo_labels(image, samples([3], size=size)).labels
    assert labels.shape == (1, *size)


def test_logits_are_resized_once_straight_to_the_original(model, images):
    wanted = samples([0], size=(50, 70))
    with torch.no_grad():
        result = model.predict(images[:1], wanted)[0]
        low = model.lowres_logits(images[:1])
    direct = F.interpolate(low, size=(50, 70), mode='bilinear', align_corners=False)[0]
    assert_near(result.seg_logits.data, direct)
    assert_same_labels(result.pred_sem_seg.data[0], direct.argmax(0), direct)


def test_training_free_prediction_chooses_among_the_tags(images):
    model = build_golden_model()
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
    model = MODELS.build(golden_config())
    with pytest.raises(RuntimeError, match='encode_classes'):
        model.class_activation_maps(images)
    model.encode_classes()
    assert model.class_activation_maps(images).isfinite().all()


def test_wrong_number_of_outputs():
    with pytest.raises(ValueError, match='num_classes is 81.*set it to 21'):
        MODELS.build(golden_config(decode_head__num_classes=81))


def test_checkpoints_hold_what_was_trained_and_no_clip(model, tmp_path):
    path = tmp_path / 'checkpoint.pth'
    save_checkpoint(dict(meta={}, state_dict=model.state_dict()), str(path))
    state = torch.load(path, weights_only=True)['state_dict']
    assert {name.split('.')[0] for name in state} == {
        'adapter', 'decode_head', 'text_head', 'provenance',
    }  # fmt: skip

    other = MODELS.build(golden_config())
    load_checkpoint(other, str(path), strict=True)
    image = torch.randn(1, 3, 64, 64)
    assert torch.equal(other.eval().lowres_logits(image), model.lowres_logits(image))
    assert torch.equal(
        other.class_activation_maps(image, dynamic=True),
        model.class_activation_maps(image, dynamic=True),
    )


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


def test_permuting_the_classes_permutes_maps_and_labels(model, images):
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    maps = model.class_activation_maps(images)
    plain = model.pseudo_labels(images, samples([3, 7], [1], [0, 4, 9]))
    texts = model.text_head.class_texts.clone()
    try:
        model.text_head.class_texts[:20] = texts[order]
        assert_near(model.class_activation_maps(images), maps[:, order])
        place = order.argsort()
        moved = samples(*(place[tag].tolist() for tag in ([3, 7], [1], [0, 4, 9])))
        permuted = model.pseudo_labels(images, moved).labels
        back = torch.cat([torch.zeros(1, dtype=torch.long), order + 1])
        assert_same_labels(back[permuted], plain.labels, plain.scores, dim=1)
    finally:
        model.text_head.class_texts.copy_(texts)
