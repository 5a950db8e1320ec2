import multiprocessing

import numpy as np
import pytest
import torch

from mmseg_excel.densecrf import CRFPool, DenseCRF
from mmseg_excel.densecrf.device_refiner import DeviceRefiner, device_of, refiner_of
from mmseg_excel.utils.images import read_rgb

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


def test_an_image_that_cannot_be_refined_is_named(scenes, tmp_path):
    broken = tmp_path / 'broken.png'
    broken.write_bytes(b'not a photograph')
    refiner = DeviceRefiner(DenseCRF(engine='torch'))
    with pytest.raises(ValueError, match='broken.png'):
        refiner.submit(str(broken), scenes[0].probabilities).result()
    with pytest.raises(ValueError, match=f'{scenes[0].path} cannot be refined'):
        refiner.submit(scenes[0].path, scenes[1].probabilities).result()


@pytest.mark.parametrize('name, device, kind', [
    ('auto', 'cuda', DeviceRefiner),
    ('torch', 'cuda:1', DeviceRefiner),
    ('pydensecrf', 'cuda', CRFPool),
    ('auto', 'cpu', CRFPool),
    ('torch', 'cpu', CRFPool),
])  # fmt: skip
def test_devices_refine_themselves_where_the_engine_can(name, device, kind):
    crf = DenseCRF()
    crf.engine = name
    with refiner_of(crf, torch.device(device), workers=1, queue_size=1) as refiner:
        assert type(refiner) is kind


def test_models_without_parameters_predict_on_the_cpu():
    assert device_of(torch.nn.Identity()) == torch.device('cpu')
    assert device_of(torch.nn.Linear(1, 1, device='meta')) == torch.device('meta')
