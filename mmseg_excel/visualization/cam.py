"""Figure `cam`: maps sharpen as the method's parts are added (ExCEL supplement, Fig. 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from ..inference.inferencer import Settings, TagInferencer
from ..utils.checks import check_sequence
from .figure import grid_figure, heat_overlay, stretched, with_notice
from .subject import Subject


def ablation(inferencer: TagInferencer) -> dict[str, Settings]:
    """Settings of each column, from plain CLIP to all the model has."""
    full = replace(inferencer.settings, dynamic=False)
    plain = replace(full, texts='global')
    stages = {
        'q-k attention': replace(plain, calibration='q-k'),
        'MaskCLIP': replace(plain, calibration='v-v', num_layers=1),
        'SVC': plain,
        '+ TSE': full,
    }
    if inferencer.trained:
        stages['+ LVC'] = replace(full, dynamic=True)
    return stages


def cam_figure(inferencer: TagInferencer, subjects: Sequence[Subject]) -> Figure:
    """Maps of every tag of some images, one row a tag.

    Args:
        inferencer: The model; with a checkpoint the last column is LVC's.
        subjects: Images; the column of the truth is drawn if all of them have one.
    """
    check_sequence('subjects', subjects)
    stages = ablation(inferencer)
    with_truth = all(subject.truth is not None for subject in subjects)
    rows = []
    for subject in subjects:
        maps = [subject.ask(inferencer, settings).maps for settings in stages.values()]
        for index, tag in enumerate(subject.ask(inferencer).tags):
            rows.append((tag, _row(subject, [m[index] for m in maps], with_truth)))
    titles = ['image', *stages, *(['ground truth'] if with_truth else [])]
    caption = (
        'Class activation maps of the class named at the left. The first three columns ask with '
        'the plain prompt and differ in attention: the original q-k, v-v in the last block '
        '(MaskCLIP), and static visual calibration (SVC). Then attributes enrich the text (TSE)'
        + (' and the trained adapter calibrates the maps (LVC).' if inferencer.trained else '.')
        + ' Each map is shown over its own range.'
    )
    return grid_figure(
        titles, rows, with_notice(caption, inferencer.notice), colour_bar='lowest to highest'
    )


def _row(subject: Subject, maps: Sequence[np.ndarray], with_truth: bool) -> list[np.ndarray]:
    pixels = subject.image.pixels
    row = [pixels, *(heat_overlay(stretched(m), pixels) for m in maps)]
    return [*row, subject.truth.paint()] if with_truth else row
