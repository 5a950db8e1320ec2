"""Figure `segmentation`: labels beside the truth (ExCEL supplement, Figs. 4 and 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from ..datasets.masks import read_mask
from ..inference.label_map import LabelMap
from ..inference.subject import Subject, names_of_models
from ..utils.bad_input import BadInput
from ..utils.checks import check_sequence
from .figure import grid_figure, with_notice


def segmentation_figure(
    subjects: Sequence[Subject],
    beside: Sequence[Sequence[Subject]] = (),
    compare: Mapping[str, str | Path] | None = None,
) -> Figure:
    """Pseudo label and prediction of some images, one row an image.

    Args:
        subjects: Images; the columns of the prediction need a checkpoint, the column of the truth
            is drawn if all of them have one.
        beside: The same images as subjects of other models: a column of each one's prediction, or
            of its pseudo label without a checkpoint.
        compare: Title -> folder of label PNGs from elsewhere, named after the images.
    """
    check_sequence('subjects', subjects)
    with_truth = all(subject.truth is not None for subject in subjects)
    columns = []
    for views in zip(subjects, *beside, strict=True):
        subject = views[0]
        labels = foreign_labels(subject, compare or {}) | other_labels(views) | own_labels(subject)
        columns.append(labels | ({'ground truth': subject.truth} if with_truth else {}))
    rows = [
        ('', [subject.image.pixels, *(label_map.paint() for label_map in maps.values())])
        for subject, maps in zip(subjects, columns, strict=True)
    ]
    inferencer = subjects[0].inferencer
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


def own_labels(subject: Subject) -> dict[str, LabelMap]:
    """Title and labels of the columns of the model itself."""
    answer = subject.ask()
    columns = {'pseudo label': answer.pseudo_label}
    if answer.prediction is not None:
        columns['prediction'] = answer.prediction
        sharpened = subject.ask(replace(subject.inferencer.settings, crf=True)).prediction
        assert sharpened is not None, 'a trained model predicts with and without a DenseCRF'
        columns['+ DenseCRF'] = sharpened
    return columns


def other_labels(views: Sequence[Subject]) -> dict[str, LabelMap]:
    """Title and labels of the columns of all models but the first."""
    names = names_of_models([view.inferencer for view in views])
    answers = [view.ask() for view in views[1:]]
    return {
        name: answer.prediction or answer.pseudo_label
        for name, answer in zip(names[1:], answers, strict=True)
    }


def foreign_labels(subject: Subject, folders: Mapping[str, str | Path]) -> dict[str, LabelMap]:
    """Labels of an image that somebody else made.

    Raises:
        BadInput: A folder has no label PNG of the image, or one of another size.
    """
    columns = {}
    for title, folder in folders.items():
        path = Path(folder) / f'{subject.image.name}.png'
        if not path.is_file():
            raise BadInput(f"'{folder}' holds no labels of {subject.image.name}: '{path}' is none.")
        classes = ('background', *subject.inferencer.vocabulary.classes)
        labels = read_mask(path, len(classes))
        if labels.shape != subject.image.size:
            raise BadInput(
                f"'{path}' is {labels.shape[1]}x{labels.shape[0]} pixels, its image "
                f'{subject.image.size[1]}x{subject.image.size[0]}: give labels of its size.'
            )
        columns[title] = LabelMap(labels, classes, subject.inferencer.palette)
    return columns


def legend_of(label_maps: Sequence[LabelMap]) -> dict[str, tuple[int, int, int]]:
    """Colours of the labels that occur, in the order of the classes."""
    shown = {name: m for m in label_maps for name in m.shares()}
    ordered = sorted(shown, key=lambda name: list(shown[name].classes).index(name))
    return {name: shown[name].colour(name) for name in ordered}
