from dataclasses import replace

import numpy as np
import pytest

from mmseg_excel.app.desk import Desk
from mmseg_excel.app.examples import toy_scenes
from mmseg_excel.visualization.attention import attention_from
from tests.tolerance import assert_near

SCENES = toy_scenes(3)
PIXELS = SCENES[0].image
BACKGROUNDS = ('grass', 'sky', 'wall')


def ask(desk, classes, backgrounds=None, **changes):
    own = desk.inferencer.vocabulary.backgrounds
    settings = replace(desk.inferencer.settings, **changes)
    return desk.ask(PIXELS, classes, own if backgrounds is None else backgrounds, settings)


def layers(desk, number):
    return replace(desk.inferencer.settings, num_layers=number)


def test_the_models_classes_are_asked_as_in_the_method(desk):
    reply = ask(desk, ['cat', 'boat'])
    expected = desk.inferencer(np.ascontiguousarray(PIXELS[..., ::-1]), ['boat', 'cat'])[0]
    assert reply.answer.tags == ('boat', 'cat')
    assert_near(reply.answer.maps, expected.maps)
    assert np.array_equal(reply.answer.pseudo_label.labels, expected.pseudo_label.labels)
    assert np.array_equal(reply.answer.prediction.labels, expected.prediction.labels)
    assert 'All 10 classes of the model compete' in reply.remark


def test_attributes_apply_where_there_are_descriptions(free_desk):
    described = [ask(free_desk, ['cat'], attribute_weight=w).answer.maps for w in (0, 4)]
    assert np.abs(described[0] - described[1]).max() > 0.01
    strange = [ask(free_desk, ['cat', 'pet'], attribute_weight=w) for w in (0, 4)]
    assert np.array_equal(strange[0].answer.maps, strange[1].answer.maps)
    assert 'no descriptions of “pet”' in strange[0].remark
    assert 'λ and K_r have no effect' in strange[0].remark
    assert strange[0].answer.pseudo_label.classes == ('background', 'cat', 'pet')


def test_backgrounds_compete(free_desk):
    few, many = (ask(free_desk, ['pet'], b).answer.maps for b in (['sky'], BACKGROUNDS))
    assert np.abs(few - many).max() > 0.01
    # A background that a class names does not compete with it.
    same = ask(free_desk, ['pet', 'brick wall'], BACKGROUNDS).answer.maps
    assert np.array_equal(same, ask(free_desk, ['pet', 'brick wall'], BACKGROUNDS[:2]).answer.maps)


def test_nothing_to_ask_is_told(free_desk):
    with pytest.raises(ValueError, match='at least one class'):
        ask(free_desk, [])
    with pytest.raises(ValueError, match='competes with nothing'):
        ask(free_desk, ['pet'], [])
    assert np.isfinite(ask(free_desk, ['cat'], []).answer.maps).all()


def test_pictures_are_encoded_once_wherever_sliders_are_moved(free_desk, monkeypatch):
    desk, seen = Desk(free_desk.inferencer, capacity=2), []
    encode = free_desk.inferencer.encode
    monkeypatch.setattr(
        free_desk.inferencer, 'encode', lambda image: seen.append(1) or encode(image)
    )
    sliders = [dict(attribute_weight=0), dict(attribute_weight=2), dict(keep_ratio=0.5)]
    for change in (*sliders, dict(num_layers=3), dict(crf=True)):
        ask(desk, ['cat'], **change)
    desk.attention(PIXELS.copy(), (3, 4), layers(desk, 5))
    assert len(seen) == 1
    for scene in SCENES[1:]:
        desk.encode(scene.image)
    assert len(seen) == 3
    desk.encode(SCENES[2].image)
    assert len(seen) == 3
    desk.encode(PIXELS)  # long forgotten
    assert len(seen) == 4


def test_attention_is_that_of_the_figure(desk):
    heat = desk.attention(PIXELS, (30, 60), layers(desk, 3))
    assert list(heat) == ['q-k', 'SVC', 'SVC + LVC']
    image = desk.encode(PIXELS)
    matrices = desk.inferencer.correlations(image, layers(desk, 3))
    assert np.array_equal(heat['SVC'], attention_from(image, matrices['SVC'], (30, 60)))
    other = desk.attention(PIXELS, (30, 60), layers(desk, 8))
    assert np.abs(heat['SVC'] - other['SVC']).max() > 0.01
    assert np.array_equal(heat['q-k'], other['q-k'])
    with pytest.raises(ValueError, match='outside the image'):
        desk.attention(PIXELS, (96, 3), layers(desk, 3))
