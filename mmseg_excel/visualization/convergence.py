"""Figure `convergence`: scores during training (ExCEL supplement, Fig. 2)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .figure import STYLE, finish
from .scalars import read_scalars

# Okabe and Ito's colours, which the colour-blind tell apart, and a marker each.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
MARKERS = 'osD^vPX'


def convergence_figure(work_dirs: Sequence[str | Path], metric: str = 'mIoU') -> Figure:
    """Curves of a validation score, one a work dir.

    Args:
        work_dirs: Folders that ``tools/train.py`` wrote; each curve has its folder's name.
        metric: Default: ``'mIoU'``.

    Raises:
        FileNotFoundError: If a folder holds no scalars.
        ValueError: If the score was never measured.
    """
    curves = {Path(folder).name: _curve(folder, metric) for folder in work_dirs}
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.4, 2.4), layout='constrained')
        FigureCanvasAgg(figure)
        axis = figure.subplots()
        for number, (name, curve) in enumerate(curves.items()):
            axis.plot(
                list(curve),
                list(curve.values()),
                label=name,
                color=COLOURS[number % len(COLOURS)],
                marker=MARKERS[number % len(MARKERS)],
                markersize=3,
                linewidth=1.2,
            )
        axis.set(xlabel='iteration', ylabel=f'{metric} (%)')
        axis.set_xlim(left=0)
        axis.grid(linewidth=0.3, alpha=0.6)
        axis.spines[['top', 'right']].set_visible(False)
        axis.legend(frameon=False, loc='best')
        last = ', '.join(f'{name} {list(curve.values())[-1]:.1f}' for name, curve in curves.items())
        finish(
            figure,
            f'{metric} of the decoder’s prediction on the validation images during training, one '
            f'scale, without DenseCRF. Last: {last}.',
        )
    return figure


def _curve(folder: str | Path, metric: str) -> dict[int, float]:
    curves = read_scalars(folder)
    if metric not in curves:
        names = ', '.join(sorted(curves))
        raise ValueError(f"'{folder}' has no {metric!r} yet; it has {names}.")
    return curves[metric]
