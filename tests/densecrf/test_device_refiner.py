import multiprocessing

import numpy as np
import pytest
import torch

from mmseg_excel.densecrf import CRFPool, DenseCRF, device_refiner
from mmseg_excel.densecrf.device_refiner import DeviceRefiner, device_of, refiner_of
from mmseg_excel.utils.images import read_rgb

from ..conftest import installed_engine
from .scenes import write_scene


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes')
    return [write_scene(folder, index) for index in range(3)]


def test_every_image_in_order_and_as_if_called_directly(scenes, device):
    crf = DenseCRF(engine='torch')
    given = [scene.probabilities.to(device) for scene in scenes]
    predictions = ((i, scene.path, given[i]) for i, scene in enumerate(scenes))
    with DeviceRefiner(crf) as refiner:
        results = list(refiner.refine_all(predictions))
    assert not multiprocessing.active_children()
    for (index, labels), scene in zip(results, scenes, strict=True):
        expected = crf(read_rgb(scene.path), given[index]).argmax(0)
        assert labels.dtype == np.uint8
        assert np.array_equal(labels, expected.cpu())
        assert scenes[index] is scene


def test_images_of_one_size_are_refined_together(scenes, monkeypatch):
    batches = []
    label_all = DenseCRF.label_all

    def spy(self, images, probabilities):
        batches.append(tuple(probabilities.shape))
        return label_all(self, images, probabilities)

    monkeypatch.setattr(DenseCRF, 'label_all', spy)
    refiner = DeviceRefiner(DenseCRF(engine='torch'))
    given = [scenes[index] for index in (0, 1, 0, 0)]
    several = refiner.submit_all((scene.path, scene.probabilities) for scene in given)
    shapes = [tuple(scene.probabilities.shape) for scene in scenes]
    assert batches == [(3, *shapes[0]), (1, *shapes[1])]
    batches.clear()
    monkeypatch.setattr(device_refiner, 'MOST_NUMBERS', 2 * scenes[0].probabilities.numel())
    refiner.submit_all((scene.path, scene.probabilities) for scene in given)
    assert [count for count, *_ in batches] == [2, 1, 1]
    for scene, labels in zip(given, several, strict=True):
        alone = refiner.submit(scene.path, scene.probabilities)
        assert labels.done()
        assert np.array_equal(labels.result(), alone.result())


@pytest.mark.parametrize('spoilt, complaint', [
    (torch.nan, 'in 0..1, but these reach nan'),
    (-1.0, 'in 0..1, but these reach -1'),
    (0.9, 'sum to 1 over classes'),
])  # fmt: skip
def test_what_are_no_probabilities_is_found_when_labels_arrive(scenes, spoilt, complaint):
    [bad, good, _] = scenes
    probabilities = bad.probabilities.clone()
    probabilities[:2, 5, 5] = spoilt
    refiner = DeviceRefiner(DenseCRF(engine='torch'))
    refused, labels = refiner.submit_all(
        [(bad.path, probabilities), (good.path, good.probabilities)]
    )
    assert np.array_equal(labels.result(), refiner.submit(good.path, good.probabilities).result())
    with pytest.raises(ValueError, match=f'{bad.path} cannot be refined: .*{complaint}'):
        refused.result()


def test_an_image_that_cannot_be_refined_is_named(scenes, tmp_path):
    broken = tmp_path / 'broken.png'
    broken.write_bytes(b'not a photograph')
    refiner = DeviceRefiner(DenseCRF(engine='torch'))
    with pytest.raises(ValueError, match='broken.png'):
        refiner.submit(str(broken), scenes[0].probabilities).result()
    with pytest.raises(ValueError, match=f'{scenes[0].path} cannot be refined'):
        refiner.submit(scenes[0].path, scenes[1].probabilities).result()
    narrow = DeviceRefiner(DenseCRF(engine='torch'))
    narrow.crf.gaussian = dict(sxy=1e-3, compat=3)
    with pytest.raises(ValueError, match=f'{scenes[0].path} cannot be .*too narrow'):
        narrow.submit(scenes[0].path, scenes[0].probabilities).result()


@pytest.mark.parametrize('name, device, kind', [
    ('auto', 'cuda', DeviceRefiner),
    ('torch', 'cuda:1', DeviceRefiner),
    ('pydensecrf', 'cuda', CRFPool),
    ('auto', 'cpu', CRFPool),
    ('torch', 'cpu', CRFPool),
])  # fmt: skip
def test_devices_refine_themselves_where_the_engine_can(name, device, kind):
    crf = DenseCRF(engine=name if name == 'auto' else installed_engine(name))
    with refiner_of(crf, torch.device(device), workers=1, queue_size=1) as refiner:
        assert type(refiner) is kind


def test_models_without_parameters_predict_on_the_cpu():
    assert device_of(torch.nn.Identity()) == torch.device('cpu')
    assert device_of(torch.nn.Linear(1, 1, device='meta')) == torch.device('meta')
