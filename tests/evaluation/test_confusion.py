"""The counts and scores, against the reference's numbers and mmseg's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmseg.evaluation import IoUMetric

from mmseg_excel.evaluation import Scores, confusion_matrix, count_pairs

from ..golden.reference import golden_tensor


def score(truth: torch.Tensor, prediction: torch.Tensor, num_classes: int) -> Scores:
    return Scores.from_confusion(confusion_matrix(count_pairs(truth, prediction), num_classes))


def random_labels(num_classes: int, *, ignored: float = 0.1, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(0, num_classes, (60, 80), generator=generator)
    guess = torch.randint(0, num_classes, (60, 80), generator=generator)
    right = torch.rand(60, 80, generator=generator) < 0.6
    prediction = torch.where(right, truth, guess)
    truth[torch.rand(60, 80, generator=generator) < ignored] = 255
    return truth, prediction


def test_reference_scores():
    scores = score(golden_tensor('unit_eval_gt'), golden_tensor('unit_eval_pred'), 8)
    for name in ('iou', 'precision', 'recall', 'confusion'):
        expected = golden_tensor(f'unit_eval_{name}')
        assert torch.allclose(getattr(scores, name), expected, atol=1e-12, equal_nan=True), name
    means = scores.means()
    pixel_accuracy, class_accuracy, miou = golden_tensor('unit_eval_scalars').tolist()
    assert means['aAcc'] == pytest.approx(100 * pixel_accuracy)
    assert means['mAcc'] == means['mRecall'] == pytest.approx(100 * class_accuracy)
    assert means['mIoU'] == pytest.approx(100 * miou)


@pytest.mark.parametrize('num_classes', [2, 21, 81])
def test_same_numbers_as_mmseg(num_classes):
    truth, prediction = random_labels(num_classes)
    areas = IoUMetric.intersect_and_union(prediction, truth, num_classes, 255)
    theirs = IoUMetric.total_area_to_metrics(*areas, metrics=['mIoU', 'mFscore'])
    ours = score(truth, prediction, num_classes)
    for their_name, name in dict(IoU='iou', Precision='precision', Recall='recall').items():
        assert np.allclose(theirs[their_name], getattr(ours, name), atol=1e-6), name
    assert theirs['aAcc'] == pytest.approx(ours.accuracy)


def test_counts_are_those_of_a_loop():
    truth = torch.tensor([[0, 1, 255], [1, 1, 0]])
    prediction = torch.tensor([[0, 2, 1], [1, 255, 1]])
    matrix = confusion_matrix(count_pairs(truth, prediction), 3)
    assert matrix.tolist() == [[1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 0, 0]]
    scores = Scores.from_confusion(matrix)
    assert scores.recall.tolist()[:2] == [0.5, pytest.approx(1 / 3)]
    # A pixel without a label is missed, but no other class is blamed for it.
    assert scores.precision.tolist() == [1, 0.5, 0]
    assert scores.confusion.tolist() == [0, 1, float('inf')]


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_any_integer_type(dtype):
    truth, prediction = random_labels(5)
    expected = count_pairs(truth, prediction)
    assert torch.equal(count_pairs(truth.to(dtype), prediction.to(dtype)), expected)


def test_splitting_a_data_set_changes_nothing():
    truth, prediction = random_labels(21)
    halves = [count_pairs(truth[part], prediction[part]) for part in (slice(0, 30), slice(30, 60))]
    assert torch.equal(sum(halves), count_pairs(truth, prediction))


def test_labels_that_mean_nothing_are_named():
    truth, prediction = random_labels(4)
    prediction[0, 0] = 7
    with pytest.raises(ValueError, match=r'predicted labels \[7\] are not among the 4 classes'):
        score(truth, prediction, 4)
    truth[5, 5] = 254
    with pytest.raises(ValueError, match=r'true labels \[254\]'):
        score(truth, prediction, 4)
    with pytest.raises(ValueError, match=r'prediction is \(60, 79\), the truth \(60, 80\)'):
        count_pairs(truth, prediction[:, 1:])
