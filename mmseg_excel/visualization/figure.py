"""What all figures share: type, grids of pictures, captions, legends, files."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from ..inference.panel import HEAT_MAP, PLAIN_TEXT
from ..utils.atomic import write_atomically
from ..utils.bad_input import BadInput

# Text stays text in PDF (TrueType, not outlines), so it can be searched and edited.
STYLE = PLAIN_TEXT | {
    'pdf.fonttype': 42,
    'font.size': 8,
    'axes.titlesize': 8,
    'axes.linewidth': 0.5,
}
CELL = 1.35  # inches
BRIGHTEST = 0.75  # grey of white under a map: brighter would wash out the map's dark end
SIDE = 0.05  # inches left free, so that no letter touches the edge
LINE = 0.15  # inches from one line of text to the next
CHARACTERS_PER_INCH = 16.5


def heat_overlay(heat: np.ndarray, pixels: np.ndarray, opacity: float = 0.65) -> np.ndarray:
    """A map over its picture, which shows in grey where things are.

    Args:
        heat: (H, W) in 0..1.
        pixels: uint8 RGB, (H, W, 3).
        opacity: Of the map's colours. Default: 0.65.
    """
    colours = matplotlib.colormaps[HEAT_MAP](np.clip(heat, 0, 1))[..., :3]
    grey = pixels.astype(np.float32).mean(axis=2, keepdims=True) / 255 * BRIGHTEST
    return np.rint(255 * (opacity * colours + (1 - opacity) * grey)).astype(np.uint8)


def stretched(heat: np.ndarray) -> np.ndarray:
    """A map (H, W) over its own range, so that faint ones are seen too."""
    low, high = heat.min(), heat.max()
    return (heat - low) / max(high - low, 1e-7)


def grid_figure(
    titles: Sequence[str],
    rows: Sequence[tuple[str, Sequence[np.ndarray]]],
    caption: str,
    legend: Mapping[str, Sequence[int]] | None = None,
    colour_bar: str = '',
) -> Figure:
    """Pictures in rows and columns.

    Args:
        titles: One a column.
        rows: Name of each row and its pictures: uint8 RGB (H, W, 3), or maps (H, W) in 0..1.
        caption: Set under the grid.
        legend: Name -> RGB colour. Default: None.
        colour_bar: What the heat map's colours mean. Default: none is drawn.

    Raises:
        BadInput: There are no rows.
    """
    if not rows:
        raise BadInput('There is nothing to draw: none of the images shows a class.')
    shapes = [max(p.shape[0] / p.shape[1] for p in pictures) for _, pictures in rows]
    width = CELL * len(titles) + 0.3 + (0.5 if colour_bar else 0)
    with matplotlib.rc_context(STYLE):
        figure = new_figure(width, CELL * sum(shapes) + 0.3)
        axes = figure.subplots(
            len(rows), len(titles), squeeze=False, gridspec_kw=dict(height_ratios=shapes)
        )
        for row_axes, (name, pictures) in zip(axes, rows, strict=True):
            row_axes[0].set_ylabel(name)
            for axis, picture in zip(row_axes, pictures, strict=True):
                axis.imshow(picture, cmap=HEAT_MAP, vmin=0, vmax=1, interpolation='nearest')
                axis.set(xticks=[], yticks=[])
        for axis, title in zip(axes[0], titles, strict=True):
            axis.set_title(title)
        if colour_bar:
            add_colour_bar(figure, axes, colour_bar)
        finish(figure, caption, legend)
    return figure


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, sides in inches, whose pictures stand close together."""
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0.01)
    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def add_colour_bar(figure: Figure, axes, label: str) -> None:
    """Add the scale of the heat map, 0 to 1, at the right of some axes."""
    scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 1), HEAT_MAP)
    bar = figure.colorbar(scale, ax=axes, fraction=0.02, pad=0.01, aspect=30, ticks=[0, 0.5, 1])
    bar.set_label(label)
    bar.outline.set_linewidth(0.5)


def finish(figure: Figure, caption: str, legend: Mapping[str, Sequence[int]] | None = None) -> None:
    """Set legend and caption under a figure, which grows to hold them."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(caption, int(width * CHARACTERS_PER_INCH))
    columns = max(1, int(width / 1.1))
    text_height = LINE * len(lines) + 0.1
    legend_height = LINE * -(-len(legend) // columns) + 0.1 if legend else 0
    strip = text_height + legend_height
    figure.set_size_inches(width, height + strip)
    # The strip under the axes belongs to legend and caption.
    bottom = strip / (height + strip)
    margin = 0.05 / (height + strip)
    left = SIDE / width
    layout = cast(ConstrainedLayoutEngine, figure.get_layout_engine())
    layout.set(rect=(left, bottom, 1 - left, 1 - bottom - margin))
    caption_top = text_height / (height + strip)
    figure.text(left, caption_top, '\n'.join(lines), va='top', fontsize=8, linespacing=1.3)
    if legend:
        figure.legend(
            handles=[Patch(color=np.divide(rgb, 255), label=name) for name, rgb in legend.items()],
            loc='upper center',
            bbox_to_anchor=(0.5, bottom),
            ncols=columns,
            frameon=False,
            handlelength=1,
            borderpad=0,
            labelspacing=0.4,
        )


def save_figure(figure: Figure, path: str | Path) -> list[Path]:
    """Write a figure as PNG (300 dpi) and PDF (vector text).

    Args:
        figure: The figure.
        path: Without suffix.

    Returns:
        The two files.
    """
    files = []
    with matplotlib.rc_context(STYLE):
        for suffix, dpi in (('png', 300), ('pdf', 'figure')):
            buffer = io.BytesIO()
            # Without a date, equal figures are equal files.
            metadata = {'CreationDate': None} if suffix == 'pdf' else {}
            figure.savefig(buffer, format=suffix, metadata=metadata, dpi=dpi)
            files.append(Path(f'{path}.{suffix}'))
            write_atomically(files[-1], buffer.getvalue())
    return files


def with_notice(caption: str, notice: str) -> str:
    """A caption that ends with what readers must know."""
    return f'{caption} {notice}'.strip()
