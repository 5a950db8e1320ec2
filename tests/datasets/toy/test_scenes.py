import numpy as np
import pytest

from mmseg_excel.datasets.toy.captions import write_caption
from mmseg_excel.datasets.toy.colours import contrasting
from mmseg_excel.datasets.toy.objects import MAIN_COLOURS, OBJECTS, Brush
from mmseg_excel.datasets.toy.palette import TOY_PALETTE
from mmseg_excel.datasets.toy.scenes import BUSY, CALM, generate_scene
from mmseg_excel.datasets.toy.textures import TEXTURES
from mmseg_excel.text.vocabulary import TOY_BACKGROUNDS, TOY_CLASSES


def scene(number, size=96, style=CALM):
    return generate_scene(np.random.default_rng((7, number)), size, style)


@pytest.fixture(scope='module')
def scenes():
    return [scene(number) for number in range(120)]


def test_vocabulary_names_everything_that_is_drawn():
    assert tuple(OBJECTS) == tuple(MAIN_COLOURS) == TOY_CLASSES
    assert tuple(TEXTURES) == TOY_BACKGROUNDS[: len(TEXTURES)]
    assert len(set(TOY_PALETTE)) == len(TOY_CLASSES) + 1


@pytest.mark.parametrize('size', [64, 96, 128])
def test_same_seed_same_scene_another_seed_another_scene(size):
    first, again, other = scene(3, size), scene(3, size), scene(4, size)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.mask, again.mask)
    assert (first.objects, first.backgrounds) == (again.objects, again.backgrounds)
    assert not np.array_equal(first.image, other.image)


def test_image_and_mask_have_the_size_asked_for():
    drawn = scene(0, 80)
    assert drawn.image.shape == (80, 80, 3) and drawn.image.dtype == np.uint8
    assert drawn.mask.shape == (80, 80) and drawn.mask.dtype == np.uint8


def test_tags_are_what_the_mask_shows(scenes):
    for drawn in scenes:
        in_mask = {TOY_CLASSES[value - 1] for value in np.unique(drawn.mask) if value}
        assert in_mask == set(drawn.tags)
        assert set(drawn.backgrounds) <= set(TOY_BACKGROUNDS)


def test_boxes_enclose_their_objects_tightly(scenes):
    for drawn in scenes:
        for item in drawn.objects:
            rows, columns = np.nonzero(drawn.mask == TOY_CLASSES.index(item.name) + 1)
            assert item.box == (columns.min(), rows.min(), columns.max(), rows.max())


def test_scenes_vary_and_show_every_class_at_a_readable_size(scenes):
    assert {len(drawn.objects) for drawn in scenes} == {1, 2}
    assert {name for drawn in scenes for name in drawn.tags} == set(TOY_CLASSES)
    areas = [
        np.mean(drawn.mask == value) for drawn in scenes for value in np.unique(drawn.mask)[1:]
    ]
    assert np.median(areas) > 0.05
    assert 0.05 < np.mean([np.mean(drawn.mask > 0) for drawn in scenes]) < 0.4


def test_busy_scenes_hold_more(scenes):
    busy = [scene(number, style=BUSY) for number in range(120)]
    assert {len(drawn.objects) for drawn in busy} == {1, 2, 3}
    clutter = [sum(len(drawn.backgrounds) for drawn in group) for group in (scenes, busy)]
    assert clutter[0] < clutter[1]


def test_objects_stand_out_from_their_surroundings(scenes):
    distances = []
    for drawn in scenes:
        around = drawn.image[drawn.mask == 0].mean(0)
        distances.append(np.linalg.norm(drawn.image[drawn.mask > 0].mean(0) - around))
    assert np.median(distances) > 50


def test_contrasting_colours_are_far_from_the_backdrop():
    names = contrasting(np.array([205, 50, 45]))
    assert 'red' not in names and 'blue' in names


@pytest.mark.parametrize('name', TOY_CLASSES)
def test_parts_fill_the_objects_frame(name):
    parts = OBJECTS[name](Brush(np.random.default_rng(0), MAIN_COLOURS[name], ['red', 'blue']))
    points = np.concatenate([part.outline for part in parts])
    assert len({part.name for part in parts}) >= 2
    assert np.abs(points).max() <= 1.25
    assert np.ptp(points[:, 0]) > 0.9 and np.ptp(points[:, 1]) > 0.9


def test_captions_are_repeatable_lower_case_and_true(scenes):
    for number, drawn in enumerate(scenes):
        caption = write_caption(np.random.default_rng(number), drawn)
        assert caption == write_caption(np.random.default_rng(number), drawn)
        assert caption == caption.lower() and caption.endswith('.')
        words = set(caption.replace('.', ' ').replace(',', ' ').split())
        assert words & set(TOY_CLASSES) <= set(drawn.tags)
        assert words & set(TOY_BACKGROUNDS) <= set(drawn.backgrounds)


def test_captions_speak_in_every_form_excel_will_use(scenes):
    rng = np.random.default_rng(0)
    captions = {write_caption(rng, drawn) for drawn in scenes for _ in range(5)}
    assert {f'a clean origami {name}.' for name in TOY_CLASSES} <= captions
    assert any(caption.startswith('a clean origami boat. ') for caption in captions)
    assert any('sails' in caption and 'boat' not in caption for caption in captions)
