"""Scores of masks that are already files: pseudo labels, or another model's predictions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..datasets.lists import usable_names
from ..datasets.masks import IGNORED, read_mask
from ..utils.bad_input import BadInput
from ..utils.checks import check_flag, check_sentences, check_whole
from ..utils.parallel import check_workers, parallel_map
from ..utils.problems import Problems
from .confusion import Scores, confusion_matrix, count_pairs


def score_folder(
    predictions: str | Path,
    truths: str | Path,
    names: Sequence[str],
    num_classes: int,
    *,
    truths_have_background: bool = True,
    workers: int = 1,
) -> Scores:
    """Compare ``{name}.png`` in one folder with ``{name}.png`` in another.

    Args:
        predictions: Folder of masks to score; 255 means no label.
        truths: Folder of true masks; 255 is not evaluated.
        names: Which images.
        num_classes: Background included.
        truths_have_background: False if 0 is the first class in the true masks, not background.
            Default: True.
        workers: Number of processes. Default: 1.

    Raises:
        FileNotFoundError: a folder is missing.
        BadInput: an argument cannot be used; masks are missing, broken or of different sizes, which
            are all named; or no pixel can be evaluated.
    """
    check_workers(workers)
    check_whole('num_classes', num_classes, '[2, 255]')
    check_flag('truths_have_background', truths_have_background)
    for folder in (predictions, truths):
        if not isinstance(folder, str | Path) or not os.path.isdir(folder):
            raise FileNotFoundError(f'{folder} is no folder of masks.')
    names = _each_once(names)
    compare = partial(
        _compare, Path(predictions), Path(truths), num_classes, int(not truths_have_background)
    )
    problems = Problems()
    matrix = torch.zeros(num_classes, num_classes + 1, dtype=torch.int64)
    for result in parallel_map(compare, names, workers=workers, title='comparing masks'):
        if isinstance(result, str):
            problems.add('masks that cannot be compared', result)
        else:
            matrix += result
    problems.raise_report_if_any(str(predictions))
    if not matrix.sum():
        raise BadInput(f'{truths} holds no pixel that is evaluated: all are {IGNORED}.')
    return Scores.from_confusion(matrix)


def _each_once(names: Sequence[str]) -> list[str]:
    check_sentences('names', names)
    problems = Problems()
    names = usable_names(names, problems)
    problems.raise_if_any('The list of masks')
    return names


def _compare(
    predictions: Path, truths: Path, num_classes: int, offset: int, name: str
) -> Tensor | str:
    """The confusion matrix of one image, or what is wrong with it."""
    try:
        truth = read_mask(truths / f'{name}.png', num_classes - offset)
        truth = np.where(truth == IGNORED, truth, truth + offset)
        prediction = read_mask(predictions / f'{name}.png', num_classes)
        pairs = count_pairs(torch.from_numpy(truth), torch.from_numpy(prediction.copy()))
        return confusion_matrix(pairs, num_classes)
    except (ValueError, FileNotFoundError) as error:
        message = str(error)
        return message if '.png' in message else f'{predictions / name}.png: {message}'
