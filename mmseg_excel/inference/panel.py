"""A panel: images in rows, what the method makes of them in columns."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..utils.atomic import write_atomically

#: Class names are data, dollars included.
PLAIN_TEXT = {'text.parse_math': False}
HEAT_MAP = 'viridis'  # perceptually uniform, and legible to the colour-blind


def paint_labels(labels: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Colour a label map (H, W) with a data set's palette; ignored pixels (255) are white."""
    colours = np.full((256, 3), 255, dtype=np.uint8)
    colours[: len(palette)] = palette
    return colours[labels]


def save_panel(
    path: str | Path,
    titles: Sequence[str],
    rows: Sequence[tuple[str, Sequence[np.ndarray]]],
    caption: str,
) -> None:
    """Write a panel as PNG.

    Args:
        path: File to write.
        titles: One a column.
        rows: Name of each row and its pictures: (H, W, 3) uint8 RGB, or maps (H, W) in 0..1.
        caption: Line under the panel.
    """
    buffer = io.BytesIO()
    draw_panel(titles, rows, caption).savefig(buffer, format='png', dpi=150)
    write_atomically(path, buffer.getvalue())


def panel_pixels(
    titles: Sequence[str], rows: Sequence[tuple[str, Sequence[np.ndarray]]], caption: str
) -> np.ndarray:
    """A panel as uint8 RGB, (H, W, 3); arguments as of :func:`save_panel`."""
    figure = draw_panel(titles, rows, caption)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


@matplotlib.rc_context(PLAIN_TEXT)
def draw_panel(
    titles: Sequence[str], rows: Sequence[tuple[str, Sequence[np.ndarray]]], caption: str
) -> Figure:
    """A panel as a figure; arguments as of :func:`save_panel`."""
    figure = Figure(figsize=(1.5 * len(titles), 1.56 * len(rows) + 0.5), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), len(titles), squeeze=False)
    for row_axes, (name, pictures) in zip(axes, rows, strict=True):
        row_axes[0].set_ylabel(name, fontsize=9)
        for axis, picture in zip(row_axes, pictures, strict=True):
            axis.imshow(picture, cmap=HEAT_MAP, vmin=0, vmax=1, interpolation='nearest')
            axis.set(xticks=[], yticks=[])
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=9)
    figure.supxlabel(caption, fontsize=9)
    return figure
