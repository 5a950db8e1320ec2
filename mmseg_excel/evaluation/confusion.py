"""Scores from counts of (true label, predicted label) pairs.

Labels are bytes, so a pair is a number below 65 536 and one histogram counts all pixels of an
image at once: no loop over classes, no selection of valid pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..ops.counting import count_values
from ..utils.bad_input import BadInput

LABELS = 256
IGNORED = 255


def count_pairs(truth: Tensor, prediction: Tensor) -> Tensor:
    """How often each pair of labels meets, int64 (256, 256), truth by prediction.

    Args:
        truth: Labels, integer (H, W), 0..255.
        prediction: Labels, integer (H, W) on the same device, 0..255.

    Raises:
        BadInput: the sizes differ.
    """
    if truth.shape != prediction.shape:
        raise BadInput(
            f'the prediction is {tuple(prediction.shape)}, the truth {tuple(truth.shape)}'
        )
    pairs = truth.to(torch.int32) * LABELS + prediction.to(torch.int32)
    return count_values(pairs.flatten(), LABELS**2).view(LABELS, LABELS)


def has_strange_labels(pairs: Tensor, num_classes: int) -> Tensor:
    """Whether a truth or prediction is neither a class nor 255, a boolean on the device."""
    return pairs[num_classes:IGNORED].any() | pairs[:, num_classes:IGNORED].any()


def confusion_matrix(pairs: Tensor, num_classes: int) -> Tensor:
    """Keep the pairs that are evaluated, int64 (num_classes, num_classes + 1).

    Pixels whose truth is 255 do not count. The last column holds pixels predicted as 255: they
    have no label (the ignore band of a pseudo label), which is missed but confused with nothing.

    Raises:
        BadInput: a truth or prediction is neither a class nor 255; names the labels.
    """
    for name, seen in (('true', pairs.sum(1)), ('predicted', pairs.sum(0))):
        strange = seen[num_classes:IGNORED].nonzero().flatten()
        if len(strange):
            raise BadInput(
                f'{name} labels {(strange + num_classes).tolist()[:5]} are not among the '
                f'{num_classes} classes'
            )
    evaluated = pairs[:num_classes]
    return torch.cat([evaluated[:, :num_classes], evaluated[:, IGNORED:]], 1)


@dataclass(frozen=True)
class Scores:
    """Scores per class, float64 (n + 1,); NaN where a class appears nowhere.

    Args:
        iou: TP / (TP + FP + FN).
        precision: TP / (TP + FP).
        recall: TP / (TP + FN).
        confusion: FP / TP, the confusion ratio; the lower the better. Infinite where a class is
            predicted but never right.
        accuracy: Share of all evaluated pixels that are right.
    """

    iou: Tensor
    precision: Tensor
    recall: Tensor
    confusion: Tensor
    accuracy: float

    @classmethod
    def from_confusion(cls, matrix: Tensor) -> Scores:
        """Scores of a confusion matrix as :func:`confusion_matrix` makes it."""
        matrix = matrix.double().cpu()
        hit = matrix.diagonal()
        false_alarm = matrix.sum(0)[: len(hit)] - hit
        missed = matrix.sum(1) - hit
        return cls(
            iou=hit / (hit + false_alarm + missed),
            precision=hit / (hit + false_alarm),
            recall=hit / (hit + missed),
            confusion=false_alarm / hit,
            accuracy=float(hit.sum() / matrix.sum()),
        )

    def means(self) -> dict[str, float]:
        """Means over the classes that appear; in percent, except ``mConfusion``."""
        return dict(
            aAcc=100 * self.accuracy,
            mIoU=100 * float(self.iou.nanmean()),
            mAcc=100 * float(self.recall.nanmean()),
            mPrecision=100 * float(self.precision.nanmean()),
            mRecall=100 * float(self.recall.nanmean()),
            mConfusion=float(self.confusion.nanmean()),
        )
