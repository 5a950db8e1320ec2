"""What numba compiles, beside plain PyTorch."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip('numba')
from numba import njit  # noqa: E402

from mmseg_excel.densecrf import CLIPESDenseCRF, CRFPool, DenseCRF  # noqa: E402
from mmseg_excel.densecrf.engines import (  # noqa: E402
    compiling,
    numba_engine,
    numba_lattice,
    vectors,
)
from mmseg_excel.densecrf.engines.kernel import Kernel  # noqa: E402
from mmseg_excel.densecrf.engines.lattice import PermutohedralLattice, strides_of  # noqa: E402
from mmseg_excel.densecrf.engines.numba_lattice import CompiledLattice  # noqa: E402

from ..scenes import write_scene  # noqa: E402

MODULES = numba_engine, numba_lattice


@njit
def eight(numbers, others):
    """Powers of e, the larger ones, and two numbers across."""
    powers, larger = np.empty_like(numbers), np.empty_like(numbers)
    vector = vectors.load(numbers, 0)
    vectors.store(powers, 0, vectors.exp(vector))
    vectors.store(larger, 0, vectors.larger(vector, vectors.load(others, 0)))
    return powers, larger, vectors.largest(vector), vectors.total(vector)


def test_eight_numbers_at_once():
    numbers = np.array([0, -1e-6, -0.3, -0.7, -5, -86, -88, -1e30], np.float32)
    powers, larger, largest, total = eight(numbers, numbers[::-1].copy())
    np.testing.assert_allclose(powers[:6], np.exp(numbers[:6].astype(float)), rtol=2e-7)
    assert not powers[6:].any()
    assert np.array_equal(larger, np.maximum(numbers, numbers[::-1]))
    assert (largest, total) == (0, np.float32(-1e30))


@pytest.mark.parametrize('kernel', [Kernel(1, 3), Kernel(3, 3), Kernel(67, 4, 3)])
def test_points_lie_on_the_same_lattice(kernel):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (1, 63, 77, 3), generator=generator).byte()
    features, strides = kernel.features(images), strides_of(kernel.extents(63, 77))
    values = torch.rand(63 * 77, 8)
    compiled = CompiledLattice(features[0].contiguous().numpy(), strides)
    rows = compiled.rows(8)
    compiled.gather(values.numpy().ravel(), compiled.weights, rows)
    sums = rows.reshape(-1, 8)[compiled.vertices] * compiled.weights[..., None]
    dims = features.shape[-1]
    expected = PermutohedralLattice(features, strides).filter(values) * (1 + 2.0**-dims)
    np.testing.assert_allclose(sums.sum(axis=1), expected.numpy(), rtol=1e-5)


def test_compiles_where_nothing_can_be_kept(monkeypatch):
    def without_folders(cache=False, **options):
        if cache:
            raise RuntimeError('cannot cache function: no locator available')
        return njit(**options)

    monkeypatch.setattr(compiling, 'njit', without_folders)
    assert compiling.compiled(lambda number: number + 1)(2) == 3


def compiled_so_far():
    """How often each function of the engine has been compiled, or loaded."""
    functions = (value for module in MODULES for value in vars(module).values())
    return {
        own.__qualname__: len(own.signatures) for own in functions if hasattr(own, 'signatures')
    }


def test_a_warm_engine_compiles_nothing_more():
    DenseCRF(engine='numba').warm_up()
    warm = compiled_so_far()
    assert warm['_place'] and warm['_update']
    for classes, size in ((2, (1, 9)), (9, (13, 17))):
        image = np.zeros((*size, 3), np.uint8)
        probabilities = np.full((classes, *size), 1 / classes, np.float32)
        CLIPESDenseCRF(engine='numba')(image, probabilities)
    assert compiled_so_far() == warm


def test_the_pool_warms_the_engine_for_its_workers(monkeypatch):
    warmed = []
    monkeypatch.setattr(DenseCRF, 'warm_up', lambda self: warmed.append(self))
    crf = DenseCRF(engine='numba')
    with CRFPool(crf, workers=3):
        assert warmed == [crf]


def test_a_worker_compiles_nothing(tmp_path):
    """It would keep what it compiles beside what the pool has kept before it started."""
    scene = write_scene(tmp_path, 0)
    with CRFPool(DenseCRF(engine='numba'), workers=1) as pool:
        kept = Path(numba_engine._update.stats.cache_path)
        before = {file: file.stat().st_mtime_ns for file in kept.glob('*.nb?')}
        pool.submit(scene.path, scene.probabilities).result()
    assert before
    assert {file: file.stat().st_mtime_ns for file in kept.glob('*.nb?')} == before
