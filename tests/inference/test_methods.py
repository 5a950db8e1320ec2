"""Every method answers through the inferencer as its segmentor does."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mmengine.structures import LabelData

from mmseg_excel.datasets.toy.scenes import generate_scene
from mmseg_excel.inference.inferencer import TagInferencer
from mmseg_excel.inference.subject import Subject, names_of_models
from mmseg_excel.visualization.cam import maps_of
from mmseg_excel.visualization.segmentation import segmentation_figure
from tests.tolerance import assert_near

RECIPES = {'excel_toy': 'ExCEL', 'weclip_toy': 'WeCLIP', 'clip_es_toy': 'CLIP-ES'}


@pytest.fixture(scope='module', autouse=True)
def cache_dir(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('MMSEG_EXCEL_CACHE', str(tmp_path_factory.mktemp('cache')))
        yield


@pytest.fixture(scope='module')
def scene():
    return generate_scene(np.random.default_rng(5), 64)


@pytest.fixture(scope='module')
def inferencers():
    return {name: TagInferencer(name, device='cpu') for name in RECIPES}


@pytest.fixture
def inferencer(request, inferencers):
    return inferencers[request.param]


every_method = pytest.mark.parametrize('inferencer', RECIPES, indirect=True)


@every_method
def test_maps_and_labels_are_the_segmentors(inferencer, scene):
    image = inferencer.encode(np.ascontiguousarray(scene.image[..., ::-1]))
    answer = inferencer.ask(image, scene.tags)
    sample, classes = image.sample.clone(), inferencer.vocabulary.classes
    hot = torch.tensor([float(name in scene.tags) for name in classes])
    sample.gt_tags = LabelData(multi_hot=hot)
    model = inferencer.model
    maps = model.class_activation_maps(image.inputs, hot[None])
    expected = model.maps_at_pixels(maps[:, hot.bool()], image.inputs, sample)
    assert_near(answer.maps, expected)
    labels = model.to_pixels(model.pseudo_labels(image.inputs, [sample]), [sample])
    assert np.array_equal(answer.pseudo_label.labels, labels[0].pred_sem_seg.data[0].numpy())


@every_method
def test_any_words_can_be_asked(inferencer, scene):
    words = ['red roof', 'brick wall']
    answer = inferencer(np.ascontiguousarray(scene.image), classes=words)[0]
    assert answer.tags == tuple(words)
    assert set(np.unique(answer.pseudo_label.labels)) <= {0, 1, 2}


@every_method
def test_a_question_changes_nothing(inferencer, scene):
    """Settings are values: the model answers the next question as if nothing had been asked."""
    image = inferencer.encode(np.ascontiguousarray(scene.image))
    before = inferencer.model.identity()
    plain = inferencer.ask(image, scene.tags)
    other = inferencer.ask(
        image, scene.tags, settings=replace(inferencer.settings, box_threshold=0.99)
    )
    again = inferencer.ask(image, scene.tags)
    assert not np.array_equal(plain.pseudo_label.labels, other.pseudo_label.labels)
    assert np.array_equal(plain.pseudo_label.labels, again.pseudo_label.labels)
    assert inferencer.model.identity() == before


def test_figures_stand_methods_beside_each_other(inferencers, scene, tmp_path):
    pixels = np.ascontiguousarray(scene.image[..., ::-1])
    views = [Subject(i, i.encode(pixels), tuple(scene.tags)) for i in inferencers.values()]
    names = ['WeCLIP', 'CLIP-ES', 'q-k attention', 'MaskCLIP', 'SVC', '+ TSE']
    assert list(maps_of(views)) == names
    assert names_of_models([*inferencers.values()]) == list(RECIPES.values())
    assert names_of_models([views[0].inferencer] * 2) == ['ExCEL 1', 'ExCEL 2']
    views[0].ask().pseudo_label.save(tmp_path / 'image.png')
    figure = segmentation_figure(*([view] for view in views[:1]), [views[1:2]], {'SeCo': tmp_path})
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == ['image', 'SeCo', 'WeCLIP', 'pseudo label']


def test_foreign_labels_must_be_the_images(inferencers, scene, tmp_path):
    inferencer = inferencers['excel_toy']
    image = inferencer.encode(np.ascontiguousarray(scene.image))
    subject = Subject(inferencer, image, tuple(scene.tags))
    with pytest.raises(ValueError, match="holds no labels of image: '.*image.png' is none"):
        segmentation_figure([subject], compare={'SeCo': tmp_path})
    small = inferencer.encode(np.zeros((8, 8, 3), np.uint8))
    inferencer.ask(small, scene.tags).pseudo_label.save(tmp_path / 'image.png')
    with pytest.raises(ValueError, match='is 8x8 pixels, its image 64x64'):
        segmentation_figure([subject], compare={'SeCo': tmp_path})
