"""The evaluator in mmengine's hands: batches, processes, files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.evaluation import IoUMetric
from mmseg.structures import SegDataSample
from PIL import Image

from mmseg_excel.evaluation import ConfusionMatrixMetric
from mmseg_excel.evaluation import metric as metric_module

from .test_confusion import random_labels

CLASSES = ('background', 'cat', 'dog', 'cow')
PALETTE = [[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]


def sample(seed: int) -> SegDataSample:
    truth, prediction = random_labels(len(CLASSES), seed=seed)
    sample = SegDataSample(metainfo=dict(img_path=f'images/{seed}.jpg'))
    sample.gt_sem_seg = PixelData(data=truth[None])
    sample.pred_sem_seg = PixelData(data=prediction[None])
    return sample


def evaluate(metric, samples, size=None) -> dict[str, float]:
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = dict(classes=CLASSES, palette=PALETTE)
    for first in range(0, len(samples), 2):
        evaluator.process(samples[first : first + 2])
    return evaluator.evaluate(size or len(samples))


def test_same_scores_as_mmseg():
    samples = [sample(seed) for seed in range(5)]
    theirs = evaluate(IoUMetric(), samples)
    ours = evaluate(ConfusionMatrixMetric(), samples)
    for name in ('aAcc', 'mIoU', 'mAcc'):
        assert ours[name] == pytest.approx(theirs[name], abs=0.01)
    assert {'mPrecision', 'mRecall', 'mConfusion'} <= ours.keys()


def test_every_evaluation_starts_from_nothing():
    metric = ConfusionMatrixMetric(prefix='val')
    first = evaluate(metric, [sample(0), sample(1)])
    evaluate(metric, [sample(7)])
    assert evaluate(metric, [sample(0), sample(1)]) == first
    assert 'val/mIoU' in first


def _evaluate_in_process(rank: int, folder: str, size: int) -> None:
    dist.init_process_group(
        'gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2
    )
    # mmengine's sampler repeats the first sample so that both processes get as many.
    sampler = DefaultSampler(range(size), shuffle=False)
    scores = evaluate(ConfusionMatrixMetric(), [sample(seed) for seed in sampler], size)
    Path(folder, f'{rank}.json').write_text(json.dumps(scores))
    dist.destroy_process_group()


@pytest.mark.parametrize('size', [4, 5])
def test_two_processes_score_as_one(tmp_path, size):
    mp.spawn(_evaluate_in_process, (str(tmp_path), size), nprocs=2)
    expected = evaluate(ConfusionMatrixMetric(), [sample(seed) for seed in range(size)])
    for rank in range(2):
        assert json.loads((tmp_path / f'{rank}.json').read_text()) == expected


def test_predictions_are_written_as_palette_pngs(tmp_path):
    samples = [sample(0), sample(1)]
    samples[1].set_metainfo(dict(name='folder/1'))
    evaluate(ConfusionMatrixMetric(output_dir=str(tmp_path)), samples)
    for path, written in (('0.png', samples[0]), ('folder/1.png', samples[1])):
        with Image.open(tmp_path / path) as image:
            assert image.mode == 'P'
            assert image.getpalette()[3:6] == PALETTE[1]
            assert np.array_equal(np.array(image), written.pred_sem_seg.data[0])


@pytest.mark.parametrize('at_hand', [True, False])
def test_a_bad_label_names_the_image(monkeypatch, at_hand):
    """At once, or, where that would be a wait, when all is counted."""
    monkeypatch.setattr(metric_module, 'is_at_hand', lambda _: at_hand)
    samples = [sample(seed) for seed in range(4)]
    metric, good = ConfusionMatrixMetric(), evaluate(ConfusionMatrixMetric(), samples)
    for bad in samples[1:3]:
        bad.gt_sem_seg.data[0, 0, 0] = 9
    with pytest.raises(ValueError, match=r'images/1.jpg: true labels \[9\]'):
        evaluate(metric, samples)
    monkeypatch.undo()
    assert evaluate(ConfusionMatrixMetric(), [sample(seed) for seed in range(4)]) == good


def test_what_is_counted_on_two_devices_is_kept_apart():
    """Labels of an interrupted run are on the host, and those that follow where they come from."""
    metric = ConfusionMatrixMetric()
    metric.dataset_meta = dict(classes=['background', 'cat'])
    for device in ('cpu', 'meta', 'cpu', 'meta', 'cpu'):
        labels = dict(data=torch.zeros(1, 2, 3, dtype=torch.int64, device=device))
        metric.process({}, [dict(pred_sem_seg=labels, gt_sem_seg=labels, img_path='cat.jpg')])
    assert {device.type for device in metric._pairs} == {'cpu', 'meta'}
    assert metric._pairs[torch.device('cpu')].sum() == 2 * 6


def test_a_single_pixel():
    lone = SegDataSample(metainfo=dict(img_path='a.jpg'))
    lone.gt_sem_seg = lone.pred_sem_seg = PixelData(data=torch.ones(1, 1, 1, dtype=torch.long))
    scores = evaluate(ConfusionMatrixMetric(), [lone])
    assert scores['mIoU'] == 100 and scores['mConfusion'] == 0
