"""Figure `segmentation`: labels beside the truth (ExCEL supplement, Figs. 4 and 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from matplotlib.figure import Figure

from ..inference.inferencer import TagInferencer
from ..inference.label_map import LabelMap
from ..utils.checks import check_sequence
from .figure import grid_figure, with_notice
from .subject import Subject


def segmentation_figure(inferencer: TagInferencer, subjects: Sequence[Subject]) -> Figure:
    """Pseudo label and prediction of some images, one row an image.

    Args:
        inferencer: The model; the columns of the prediction need its checkpoint.
        subjects: Images; the column of the truth is drawn if all of them have one.
    """
    check_sequence('subjects', subjects)
    with_truth = all(subject.truth is not None for subject in subjects)
    columns = [label_maps(inferencer, subject, with_truth) for subject in subjects]
    rows = [
        ('', [subject.image.pixels, *(label_map.paint() for label_map in maps.values())])
        for subject, maps in zip(subjects, columns, strict=True)
    ]
    caption = (
        'Pseudo labels made from the image’s tags'
        + ('; the decoder’s prediction, alone and with a DenseCRF' if inferencer.trained else '')
        + ('; ground truth, its ignored pixels white.' if with_truth else '.')
    )
    return grid_figure(
        ['image', *columns[0]],
        rows,
        with_notice(caption, inferencer.notice),
        legend_of([label_map for maps in columns for label_map in maps.values()]),
    )


def label_maps(
    inferencer: TagInferencer, subject: Subject, with_truth: bool
) -> dict[str, LabelMap]:
    """Title and labels of each column after the image."""
    answer = subject.ask(inferencer)
    columns = {'pseudo label': answer.pseudo_label}
    if inferencer.trained:
        sharpened = subject.ask(inferencer, replace(inferencer.settings, crf=True))
        columns |= {'prediction': answer.prediction, '+ DenseCRF': sharpened.prediction}
    return columns | ({'ground truth': subject.truth} if with_truth else {})


def legend_of(label_maps: Sequence[LabelMap]) -> dict[str, tuple[int, int, int]]:
    """Colours of the labels that occur, in the order of the classes."""
    shown = {name: m for m in label_maps for name in m.shares()}
    ordered = sorted(shown, key=lambda name: list(shown[name].classes).index(name))
    return {name: shown[name].colour(name) for name in ordered}
