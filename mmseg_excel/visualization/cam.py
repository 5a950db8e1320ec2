"""Figure `cam`: maps of the parts of the method, and of other methods (supplement, Fig. 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from ..inference.label_map import LabelMap
from ..inference.subject import Subject, names_of_models
from ..models.excel import ExCELSettings
from ..utils.checks import check_sequence
from .figure import grid_figure, heat_overlay, stretched, with_notice

Maps = dict[str, np.ndarray]  # title of a column -> (K, H, W)
STAGES = (
    'The q-k, MaskCLIP and SVC columns ask with the plain prompt and differ in attention: the '
    'original q-k, v-v in the last block, and static visual calibration. Then attributes enrich '
    'the text (TSE), and the trained adapter, where there is one, calibrates the maps (LVC).'
)


def cam_figure(subjects: Sequence[Subject], beside: Sequence[Sequence[Subject]] = ()) -> Figure:
    """Maps of every tag of some images, one row a tag.

    Args:
        subjects: Images; of ExCEL, there is a column for each part of the method. The column of
            the truth is drawn if all of them have one.
        beside: The same images as subjects of other models, one column each.
    """
    check_sequence('subjects', subjects)
    with_truth = all(subject.truth is not None for subject in subjects)
    rows, titles = [], []
    for views in zip(subjects, *beside, strict=True):
        subject, maps = views[0], maps_of(views)
        pixels, truth = subject.image.pixels, subject.truth if with_truth else None
        for index, tag in enumerate(subject.ask().tags):
            rows.append((tag, _row(pixels, [m[index] for m in maps.values()], truth)))
        titles = ['image', *maps, *(['ground truth'] if with_truth else [])]
    inferencer = subjects[0].inferencer
    caption = 'Class activation maps of the class named at the left, each over its own range.'
    if isinstance(inferencer.settings, ExCELSettings):
        caption += f' {STAGES}'
    return grid_figure(
        titles, rows, with_notice(caption, inferencer.notice), colour_bar='lowest to highest'
    )


def maps_of(views: Sequence[Subject]) -> Maps:
    """Maps of one image: of the other models, then of the parts of the first one."""
    names = names_of_models([view.inferencer for view in views])
    others = {name: view.ask().maps for name, view in zip(names[1:], views[1:], strict=True)}
    subject, inferencer = views[0], views[0].inferencer
    if not isinstance(inferencer.settings, ExCELSettings):
        return others | {names[0]: subject.ask().maps}
    parts = ablation(inferencer.settings, inferencer.trained)
    return others | {title: subject.ask(settings).maps for title, settings in parts.items()}


def ablation(settings: ExCELSettings, trained: bool) -> dict[str, ExCELSettings]:
    """Settings of each column, from plain CLIP to all ExCEL has."""
    full = replace(settings, dynamic=False)
    plain = replace(full, texts='global')
    parts = {
        'q-k attention': replace(plain, calibration='q-k'),
        'MaskCLIP': replace(plain, calibration='v-v', num_layers=1),
        'SVC': plain,
        '+ TSE': full,
    }
    if trained:
        parts['+ LVC'] = replace(full, dynamic=True)
    return parts


def _row(
    pixels: np.ndarray, maps: Sequence[np.ndarray], truth: LabelMap | None
) -> list[np.ndarray]:
    row = [pixels, *(heat_overlay(stretched(m), pixels) for m in maps)]
    return row if truth is None else [*row, truth.paint()]
