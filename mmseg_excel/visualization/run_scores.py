"""Scores of a trained model, image by image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..evaluation.confusion import Scores, confusion_matrix, count_pairs
from ..inference.subject import Subject
from ..utils.bad_input import BadInput


@dataclass(frozen=True)
class RunScores:
    """How well a model segments some images, one scale, no DenseCRF.

    Attributes:
        matrix: Pixels by true and predicted label, (n+1, n+2), the last column for no label.
        images: mIoU in percent and subject name and index of each image, worst first.
    """

    matrix: Tensor
    images: list[tuple[float, int, str]]

    @property
    def scores(self) -> Scores:
        """Scores over all pixels."""
        return Scores.from_confusion(self.matrix)


def score_run(subjects: Iterable[Subject]) -> RunScores:
    """Predict and score images.

    Raises:
        BadInput: If no image has a truth.
    """
    total, images = 0, []
    for index, subject in enumerate(subjects):
        if subject.truth is None:
            continue
        pairs = count_pairs(
            torch.from_numpy(subject.truth.labels),
            torch.from_numpy(subject.inferencer.predict(subject.image).labels),
        )
        matrix = confusion_matrix(pairs, len(subject.inferencer.vocabulary.classes) + 1)
        total = total + matrix
        if matrix.sum():
            images.append(
                (Scores.from_confusion(matrix).means()['mIoU'], index, subject.image.name)
            )
    if not images:
        raise BadInput(
            'No validation image has a mask to be scored with: check data_prefix.seg_map_path of '
            "the config's val_dataloader."
        )
    return RunScores(total, sorted(images))
