"""Figure `convergence`: scores during training (ExCEL supplement, Fig. 2)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..utils.bad_input import BadInput
from ..utils.checks import check_sequence, shown
from .figure import STYLE, finish
from .scalars import read_scalars

# Okabe and Ito's colours, which the colour-blind tell apart, and a marker each.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
MARKERS = 'osD^vPX'


def convergence_figure(work_dirs: Sequence[str | Path], metric: str = 'mIoU') -> Figure:
    """Curves of a validation score, one a work dir.

    Args:
        work_dirs: Folders that ``tools/train.py`` wrote; each curve has its folder's name, or
            its path where names are equal.
        metric: Default: ``'mIoU'``.

    Raises:
        FileNotFoundError: If a folder holds no scalars.
        ValueError: If the score was never measured.
    """
    check_sequence('work_dirs', work_dirs)
    names = [Path(folder).name for folder in work_dirs]
    if len(set(names)) < len(names):  # of equal names, one would hide the other
        names = [str(folder) for folder in work_dirs]
    curves = {name: _curve(folder, metric) for name, folder in zip(names, work_dirs, strict=True)}
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
        names = ', '.join(sorted(curves)) or 'nothing'
        raise BadInput(f"'{folder}' has no {shown(metric)} yet; it has {names}.")
    return curves[metric]
