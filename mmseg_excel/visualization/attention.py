"""Figure `attention`: where one patch looks (ExCEL supplement, Figs. 1, 7 and 8)."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ..inference.answers import EncodedImage
from ..inference.panel import HEAT_MAP
from ..inference.subject import Subject
from ..models.excel import ExCELSettings
from ..models.settings import Settings
from ..ops.resize import resize
from ..utils.bad_input import BadInput
from ..utils.checks import check_sequence
from .figure import CELL, STYLE, add_colour_bar, finish, heat_overlay, new_figure, with_notice

Point = tuple[float, float]


def patch_at(image: EncodedImage, point: Point) -> int:
    """Number of the patch under a point (x, y) in pixels of the image.

    Raises:
        ValueError: If the point lies outside the image.
    """
    (height, width), (x, y) = image.size, point
    if not (0 <= x < width and 0 <= y < height):
        raise BadInput(f'Point ({x:g}, {y:g}) lies outside the image of {width}x{height} pixels.')
    rows, columns = image.trace.grid
    return int(y / height * rows) * columns + int(x / width * columns)


def attention_from(image: EncodedImage, matrix: Tensor, point: Point) -> np.ndarray:
    """What the patch under a point attends to, at the image's size, (H, W) in 0..1."""
    row = scaled(matrix[patch_at(image, point)]).unflatten(0, image.trace.grid)
    return resize(row[None, None], image.size)[0, 0].cpu().numpy()


def scaled(values: Tensor, quantile: float = 0.99) -> Tensor:
    """Shift to minimum 0 and divide by the 99th percentile: a few peaks do not hide the rest."""
    low = values.min()
    high = values.flatten().quantile(quantile)
    return ((values - low) / (high - low + 1e-12)).clamp(0, 1)


def strongest_point(subject: Subject) -> Point:
    """Middle (x, y) of the patch where the map of the first tag is strongest."""
    if not subject.tags:
        raise BadInput(f"'{subject.image.name}' shows no class to look from: give a point.")
    heat = subject.ask().maps[0]
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    (height, width), (rows, columns) = subject.image.size, subject.image.trace.grid
    row, column = divmod(patch_at(subject.image, (x, y)), columns)
    return (column + 0.5) * width / columns, (row + 0.5) * height / rows


def attention_figure(subjects: Sequence[Subject], points: Sequence[Point] | None = None) -> Figure:
    """Attention from one point of each image, and below it how all patches attend.

    Args:
        subjects: Images; what the trained adapter makes of attention needs a checkpoint.
        points: (x, y) in pixels, one an image. Default: where the first tag's map is strongest.
    """
    check_sequence('subjects', subjects)
    if points is not None:
        check_sequence('points', points, length=len(subjects))
    else:
        points = [strongest_point(subject) for subject in subjects]
    cases = [
        (subject.image, point, subject.inferencer.correlations(subject.image))
        for subject, point in zip(subjects, points, strict=True)
    ]
    titles = ['query', *cases[0][2]]
    shapes = [s for image, _, _ in cases for s in (image.size[0] / image.size[1], 1)]
    with matplotlib.rc_context(STYLE):
        figure = new_figure(CELL * len(titles) + 0.8, CELL * sum(shapes) + 0.3)
        axes = figure.subplots(
            2 * len(cases), len(titles), squeeze=False, gridspec_kw=dict(height_ratios=shapes)
        )
        for pair, case in zip(axes.reshape(len(cases), 2, -1), cases, strict=True):
            _draw_case(pair, *case)
        for axis, title in zip(axes[0], titles, strict=True):
            axis.set_title(title)
        add_colour_bar(figure, axes, 'attention, scaled')
        inferencer = subjects[0].inferencer
        finish(figure, with_notice(_caption(inferencer.settings), inferencer.notice))
    return figure


def _draw_case(
    axes: np.ndarray, image: EncodedImage, point: Point, matrices: dict[str, Tensor]
) -> None:
    """One image: a row of attention from the point, a row of whole matrices."""
    patch = patch_at(image, point)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    axes[0, 0].imshow(image.pixels)
    _draw_star(axes[0, 0], point)
    axes[1, 0].axis('off')
    for (upper, lower), matrix in zip(axes[:, 1:].T, matrices.values(), strict=True):
        heat = attention_from(image, matrix, point)
        upper.imshow(heat_overlay(heat, image.pixels), interpolation='nearest')
        _draw_star(upper, point)
        lower.imshow(scaled(matrix).cpu(), cmap=HEAT_MAP, vmin=0, vmax=1, interpolation='nearest')
        lower.axhline(patch, color='red', linewidth=0.5)
    axes[1, 0].text(0.95, 0.5, 'all pairs of\npatches', ha='right', va='center')


def _draw_star(axis: Axes, point: Point) -> None:
    axis.plot(
        *point, marker='*', markersize=9, color='red', markeredgecolor='white', markeredgewidth=0.6
    )


def _caption(settings: Settings) -> str:
    return (
        'Attention from the patch at the red star (upper row) and between all pairs of patches '
        '(lower row; rows are queries, the star’s is marked). q-k, q-q, k-k and v-v: last block, '
        'mean over heads.'
        + (_calibration(settings) if isinstance(settings, ExCELSettings) else '')
        + (' The last column has the trained adapter in it.' if settings.dynamic else '')
        + ' Every picture is shifted to minimum 0 and divided by its 99th percentile.'
    )


def _calibration(settings: ExCELSettings) -> str:
    return f' SVC: mean of q-q, k-k and v-v over the last {settings.num_layers} blocks.'
