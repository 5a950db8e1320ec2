"""A picture of which class takes which attribute."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from ..inference.panel import PLAIN_TEXT
from ..utils.atomic import write_atomically


@matplotlib.rc_context(PLAIN_TEXT)
def save_attribute_weights(weights: Tensor, classes: Sequence[str], path: str | Path) -> None:
    """Draw a class-by-attribute heat map and write it as PNG.

    Attributes stand in the order of the class that takes most of each; dropped ones are grey.

    Args:
        weights: (n, K) part of each attribute in each class, 0 where it was dropped.
        classes: The n class names.
        path: The picture.

    Raises:
        OSError: If the directory cannot be written.
    """
    weights = weights.numpy()
    most = weights.max(axis=0)
    order = np.lexsort((-most, weights.argmax(axis=0), most == 0))
    shown = np.ma.masked_equal(weights[:, order], 0)
    n, num_attributes = weights.shape
    figure = Figure(figsize=(3 + 0.11 * num_attributes, 1.2 + 0.19 * n), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor='0.85')
    image = axes.imshow(shown, aspect='auto', cmap='viridis', interpolation='nearest')
    axes.set_yticks(range(n), classes, fontsize=8)
    axes.set_xlabel(f'{num_attributes} attributes, by the class that takes most of each')
    figure.colorbar(image, ax=axes, label='part in the class', pad=0.01)
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=120)
    write_atomically(path, buffer.getvalue())
