import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

from mmseg_excel.densecrf import CLIPESDenseCRF, DenseCRF, engines
from mmseg_excel.utils.plain import plain
from tests.golden.reference import golden
from tests.tolerance import assert_near

SETTINGS = {
    'ExCEL': dict(),
    'WeCLIP': dict(gaussian=dict(sxy=3, compat=3), bilateral=dict(sxy=64, srgb=5, compat=4)),
    'narrow': dict(gaussian=dict(sxy=0.3, compat=2), bilateral=dict(sxy=5, srgb=20, compat=7)),
    'other numbers': dict(gaussian=dict(sxy=1.7, compat=0.1), iterations=3),
}


@pytest.fixture(scope='module')
def case():
    arrays = golden()
    return arrays['crf_image_u8'], arrays['crf_prob'].astype(np.float32)


def cut(case, height, width, classes=21):
    """A corner of the case with fewer classes, whose probabilities sum to one again."""
    image, probabilities = case
    probabilities = probabilities[:classes, :height, :width]
    return image[:height, :width], probabilities / probabilities.sum(axis=0)


def test_equals_the_reference(case, engine):
    refined = MODELS.build(dict(type='DenseCRF', engine=engine))(*case)
    assert_near(refined, golden()['crf_q'])
    assert np.array_equal(refined.argmax(0), golden()['crf_argmax'])


def test_equals_the_reference_on_a_device(case, device):
    image, probabilities = case
    refined = DenseCRF(engine='torch')(image, torch.from_numpy(probabilities).to(device))
    assert refined.device.type == device.type
    assert_near(refined, golden()['crf_q'])
    assert np.array_equal(refined.argmax(0).cpu(), golden()['crf_argmax'])


@pytest.mark.parametrize('settings', SETTINGS)
@pytest.mark.parametrize('classes', [2, 3, 8, 21])
@pytest.mark.parametrize('size', [(48, 64), (31, 47)])
def test_engines_give_the_labels_of_pydensecrf(case, engine, size, classes, settings):
    pytest.importorskip('pydensecrf.densecrf')
    given = cut(case, *size, classes)
    expected = DenseCRF(**SETTINGS[settings], engine='pydensecrf')(*given)
    refined = DenseCRF(**SETTINGS[settings], engine=engine)(*given)
    assert_near(refined, expected)
    assert np.array_equal(refined.argmax(0), expected.argmax(0))


def test_engines_refine_for_clip_es_alike(case, engine):
    pytest.importorskip('pydensecrf.densecrf')
    image, scores = cut(case, 40, 60, 4)
    expected = CLIPESDenseCRF(engine='pydensecrf')(image, 0.9 * scores)
    assert_near(CLIPESDenseCRF(engine=engine)(image, 0.9 * scores), expected)


def test_the_same_bits_twice(case, engine):
    given = cut(case, 40, 60)
    once, again = (DenseCRF(engine=engine)(*given) for _ in range(2))
    assert np.array_equal(once, again)


def test_tensors_and_arrays_are_refined_alike(case, engine):
    image, probabilities = cut(case, 40, 60)
    crf = DenseCRF(engine=engine)
    refined = crf(image, torch.from_numpy(probabilities))
    assert isinstance(refined, torch.Tensor)
    assert np.array_equal(refined.numpy(), crf(image, probabilities))


def test_probabilities_may_come_in_half_precision(case, engine):
    image, probabilities = cut(case, 40, 60)
    crf = DenseCRF(engine=engine)
    half = probabilities.astype(np.float16)
    assert_near(crf(image, half), crf(image, half.astype(np.float32)))


def test_memory_layout_does_not_matter(case, engine):
    given = cut(case, 40, 60)
    crf = DenseCRF(engine=engine)
    mirrored = [array[..., ::-1].copy()[..., ::-1] for array in given]
    assert np.array_equal(crf(*map(np.asfortranarray, given)), crf(*given))
    assert np.array_equal(crf(*mirrored), crf(*given))


def test_without_iterations_only_the_unary_remains(case, engine):
    image, probabilities = cut(case, 40, 60)
    refined = DenseCRF(iterations=0, engine=engine)(image, probabilities)
    assert np.abs(refined - probabilities).max() < 1e-3


def test_classes_that_are_nowhere_likely_are_left_out(case):
    image, probabilities = case
    likely = np.zeros_like(probabilities)
    likely[[3, 7, 20]] = probabilities[[3, 7, 20]] / probabilities[[3, 7, 20]].sum(0)
    refined = DenseCRF(min_probability=0.3)(image, likely)
    exact = DenseCRF(min_probability=0.0)(image, likely)
    assert np.all(refined[[c for c in range(21) if c not in (3, 7, 20)]] == 0)
    assert (refined.argmax(0) != exact.argmax(0)).mean() < 1e-3


def test_the_likeliest_class_always_takes_part(case):
    image, probabilities = case
    refined = DenseCRF(min_probability=1.0)(image, probabilities)
    likeliest = probabilities.max((1, 2)).argmax()
    assert np.all(refined.argmax(0) == likeliest)


@pytest.mark.parametrize('size', [(1, 1), (1, 40), (40, 1)])
def test_one_pixel_wide_images(size, engine):
    image = np.zeros((*size, 3), np.uint8)
    probabilities = np.full((3, *size), [[[0.2]], [[0.5]], [[0.3]]], np.float32)
    refined = DenseCRF(engine=engine)(image, probabilities)
    assert np.all(refined.argmax(0) == 1)
    assert_near(refined.sum(0), np.ones(size))


def test_as_many_classes_as_label_maps_hold(engine):
    image = np.zeros((3, 5, 3), np.uint8)
    probabilities = np.full((255, 3, 5), 0.5 / 254, np.float32)
    probabilities[254] = 0.5
    assert np.all(DenseCRF(engine=engine).label(image, probabilities) == 254)


def test_refuses_an_image_of_another_size(case):
    image, probabilities = case
    with pytest.raises(ValueError, match='120x160'):
        DenseCRF()(image[:-1], probabilities)


def test_kernels_too_narrow_for_an_image_are_refused(engine):
    image = np.zeros((2, 4000, 3), np.uint8)
    probabilities = np.full((2, 2, 4000), 0.5, np.float32)
    crf = DenseCRF(gaussian=dict(sxy=0.1, compat=3), engine=engine)
    with pytest.raises(ValueError, match='DenseCRF.gaussian is .* image of 2x4000 pixels'):
        crf(image, probabilities)


def test_a_missing_engine_names_the_way_out(monkeypatch):
    monkeypatch.setattr(engines, 'find_spec', lambda name: None)
    with pytest.raises(ImportError, match='pip install pydensecrf2'):
        DenseCRF(engine='pydensecrf')


def test_a_record_of_labels_names_all_settings_but_the_engine(engine):
    assert plain(DenseCRF(engine=engine)) == plain(DenseCRF())
    assert plain(CLIPESDenseCRF()) != plain(CLIPESDenseCRF(confidence=0.9))
    assert plain(DenseCRF()) == dict(
        type='mmseg_excel.densecrf.dense_crf.DenseCRF',
        iterations=10,
        gaussian=dict(sxy=1, compat=3),
        bilateral=dict(sxy=67, srgb=3, compat=4),
        min_probability=0.0,
    )


def test_the_fastest_engine_there_is(monkeypatch):
    there = {'torch'}
    monkeypatch.setattr(engines, 'find_spec', lambda name: name if name in there else None)
    cpu, gpu = torch.device('cpu'), torch.device('cuda')
    assert engines.engine_for('auto', cpu) == 'torch'
    there.add('pydensecrf')
    assert engines.engine_for('auto', cpu) == 'pydensecrf'
    there.add('numba')
    assert engines.engine_for('auto', cpu) == 'numba'
    assert engines.engine_for('auto', gpu) == 'torch'
    assert engines.engine_for('pydensecrf', gpu) == 'pydensecrf'
