import numpy as np
import pytest
from mmseg.registry import MODELS

from mmseg_excel.densecrf import DenseCRF, dense_crf
from tests.golden.reference import golden
from tests.tolerance import assert_near


@pytest.fixture(scope='module')
def case():
    arrays = golden()
    return arrays['crf_image_u8'], arrays['crf_prob'].astype(np.float32)


def test_equals_the_reference(case):
    refined = MODELS.build(dict(type='DenseCRF', min_probability=0.0))(*case)
    assert_near(refined, golden()['crf_q'])
    assert np.array_equal(refined.argmax(0), golden()['crf_argmax'])


def test_memory_layout_does_not_matter(case):
    refined = DenseCRF(min_probability=0.0)(*map(np.asfortranarray, case))
    assert_near(refined, golden()['crf_q'])


def test_without_iterations_only_the_unary_remains(case):
    image, probabilities = case
    refined = DenseCRF(iterations=0, min_probability=0.0)(image, probabilities)
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
def test_one_pixel_wide_images(size):
    image = np.zeros((*size, 3), np.uint8)
    probabilities = np.full((3, *size), [[[0.2]], [[0.5]], [[0.3]]], np.float32)
    refined = DenseCRF()(image, probabilities)
    assert np.all(refined.argmax(0) == 1)
    assert_near(refined.sum(0), np.ones(size))


def test_refuses_an_image_of_another_size(case):
    image, probabilities = case
    with pytest.raises(ValueError, match='120x160'):
        DenseCRF()(image[:-1], probabilities)


def test_missing_pydensecrf_names_the_way_out(monkeypatch):
    monkeypatch.setattr(dense_crf, 'pydensecrf', None)
    with pytest.raises(ImportError, match='pip install pydensecrf2'):
        DenseCRF()
