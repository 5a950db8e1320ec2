"""Nothing strays from the device, and nothing makes the host wait for it."""

from __future__ import annotations

import multiprocessing
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

from mmseg_excel.densecrf import CLIPESDenseCRF, DenseCRF, device_refiner
from mmseg_excel.densecrf.device_refiner import refiner_of
from mmseg_excel.engine import DeferredInfoHook
from mmseg_excel.evaluation import ConfusionMatrixMetric
from mmseg_excel.models.trained_segmentor import Phase
from mmseg_excel.ops.operators import OLDEST_TRITON

from .fake_device import NoCopies, fake_cuda, on_fake_cuda
from .models import METHODS, TAGS, TRAINED, batch, build

pytest.importorskip(
    'triton', minversion=OLDEST_TRITON, reason='without Triton the boxes are found on the host'
)

PHASES = dict(
    static=Phase(),
    dynamic=Phase(dynamic=True),
    late=Phase(dynamic=True, pairs_from_prediction=True),
)


def prepared(model, given: dict) -> dict:
    """What the model's own preprocessor makes of a batch: on the device."""
    images = [torch.empty(x.shape, dtype=x.dtype) for x in given['inputs']]
    return model.data_preprocessor(given | dict(inputs=images))


def test_the_fake_device_finds_what_waits_and_what_strays():
    with fake_cuda():
        x = torch.empty(3, device='cuda')
        with pytest.raises(Exception, match='_local_scalar_dense'):
            x.sum().item()
        with pytest.raises(Exception, match='nonzero'):
            x.nonzero()
        with pytest.raises(AssertionError, match='a copy to cuda:0 that waits'):
            torch.ones(3).to('cuda')
        with pytest.raises(AssertionError, match='a copy to cpu that waits'):
            x.cpu()
        with pytest.raises(Exception, match='same device|two different devices'):
            x + torch.ones(3)


@pytest.mark.parametrize('phase', PHASES)
@pytest.mark.parametrize('method', TRAINED)
@pytest.mark.parametrize('tags', [TAGS, ([], [], [], [])], ids=['tags', 'no tags'])
def test_training_step(method, phase, tags):
    model, given = build(method).train(), batch(tags=tags)
    with fake_cuda():
        data = prepared(on_fake_cuda(model), given)
        model.phase = PHASES[phase]
        losses = model.loss(**data)
    assert {value.device.type for value in losses.values()} == {'cuda'}


@pytest.mark.parametrize('phase', PHASES)
@pytest.mark.parametrize('method', TRAINED)
def test_what_a_step_records_comes_from_the_device_alone(method, phase):
    model, given = build(method).train(), batch()
    with fake_cuda():
        data = prepared(on_fake_cuda(model), given)
        tags = model.tags_of(**data)
        model.phase = PHASES[phase]
        with NoCopies():
            model.losses(data['inputs'], tags)
        with NoCopies(), pytest.raises(AssertionError, match='a copy to cuda'):
            model.loss(**data)


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('dynamic', [False, True])
def test_pseudo_labels_and_maps(method, dynamic):
    if dynamic and method not in TRAINED:
        pytest.skip(f'{method} trains nothing')
    model, given = build(method).eval(), batch()
    with fake_cuda():
        data = prepared(on_fake_cuda(model), given)
        pseudo = model.pseudo_labels(**data, dynamic=dynamic)
        assert pseudo.scores.device.type == 'cuda'
        for index in range(len(given['inputs'])):
            stack, labels = pseudo.at(index, (375, 500))
            assert len(stack) == len(labels) == 1 + len(TAGS[index])
        maps = model.class_activation_maps(data['inputs'], dynamic=dynamic)
        assert maps.device.type == 'cuda'


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('source', ['decoder', 'cam'])
def test_prediction(method, source):
    model, given = build(method).eval(), batch()
    if source not in model.SOURCES:
        pytest.skip(f'{method} has no decoder')
    model.test_cfg['source'] = source
    with fake_cuda(), torch.no_grad():
        data = prepared(on_fake_cuda(model), given)
        results = model.predict(**data)
        assert {result.pred_sem_seg.data.device.type for result in results} == {'cuda'}


@pytest.mark.parametrize('method', TRAINED)
def test_views_of_different_photographs(method):
    model = MODELS.build(
        dict(type='LogitTTAModel', module=build(method).eval(), data_preprocessor=None)
    )
    given = batch()
    sizes = [(375, 500), (500, 333), (100, 700), (320, 320)]
    with fake_cuda(), torch.no_grad():
        on_fake_cuda(model)
        given['inputs'] = [torch.empty(3, *size, dtype=torch.uint8) for size in sizes]
        results = model.test_step(given)
        assert {result.pred_sem_seg.data.device.type for result in results} == {'cuda'}


# Labels as they are predicted, and refined ones, which come back from the host.
@pytest.mark.parametrize('place', ['cuda', 'cpu'])
def test_scores_are_counted_on_the_device(place):
    metric = ConfusionMatrixMetric()
    metric.dataset_meta = dict(classes=['background', 'cat', 'dog'])
    with fake_cuda():
        for _ in range(3):
            truth, labels = (
                dict(data=torch.empty(1, 375, 500, dtype=torch.int64, device=device))
                for device in ('cuda', place)
            )
            metric.process({}, [dict(pred_sem_seg=labels, gt_sem_seg=truth, img_path='cat.jpg')])
        assert [device.type for device in metric._pairs] == ['cuda']


def test_losses_are_kept_on_the_device():
    hook = DeferredInfoHook()
    runner = SimpleNamespace(
        hooks=[hook], iter=5, max_iters=100, train_dataloader=range(10**9), message_hub=None
    )
    with fake_cuda():
        hook.after_train_iter(runner, 5, None, dict(loss=torch.empty((), device='cuda')))


@pytest.mark.parametrize('crf', [DenseCRF(), CLIPESDenseCRF()], ids=['DenseCRF', 'CLIP-ES'])
def test_refining(crf, monkeypatch):
    """Up to labels on their way to the host, as bytes."""
    photograph = np.zeros((375, 500, 3), np.uint8)
    monkeypatch.setattr(device_refiner, 'read_rgb', lambda path: photograph)
    with fake_cuda():
        given = [('cat.jpg', torch.empty(21, 375, 500, device='cuda')) for _ in range(3)]
        refiner = refiner_of(crf, torch.device('cuda'))
        several = refiner.submit_all(given)
        labels = [own.arriving.result() for own in several]
    assert not multiprocessing.active_children()
    assert [(own.dtype, own.device.type, tuple(own.shape)) for own in labels] == 3 * [
        (torch.uint8, 'cpu', (375, 500))
    ]
