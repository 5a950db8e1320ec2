"""A work dir as one HTML page that needs nothing else: no request leaves it."""

from __future__ import annotations

import base64
import html
import io
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

from ..evaluation.published import PUBLISHED
from ..inference.inferencer import TagInferencer
from ..inference.panel import HEAT_MAP, PLAIN_TEXT
from ..inference.subject import Subject, each_subject, subjects_of_dataset
from ..text.vocabulary import VOC_CLASSES
from ..utils.bad_input import BadInput
from ..utils.checkpoints import read_checkpoint
from ..utils.checks import check_whole, shown
from ..utils.text_file import read_text
from .convergence import COLOURS
from .figure import heat_overlay, stretched
from .report_style import STYLE
from .run_scores import RunScores, score_run
from .scalars import Curve, read_scalars

SVG_STYLE = {'svg.fonttype': 'none', 'svg.hashsalt': 'mmseg_excel', 'font.size': 9}
PICTURE_WIDTH = 320
DEEPEST, LONGEST_FACT = 5, 20_000
WAY_OUT = 'give a folder that tools/train.py wrote'
CURVES = {
    'Validation mIoU (%)': ('mIoU',),
    'Pseudo-label mIoU of the watched images (%)': ('pseudo_mIoU',),
    'Losses': ('loss', 'loss_seg', 'loss_diversity'),
    'Learning rate': ('lr',),
}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head>
<body><main><h1>{title}</h1>{body}</main></body></html>
"""


@dataclass(frozen=True)
class WorkDir:
    """What a training run left.

    Attributes:
        folder: The work dir.
        config: Its config file.
        checkpoint: The checkpoint to report on.
    """

    folder: Path
    config: Path
    checkpoint: Path

    @classmethod
    def find(cls, folder: str | Path, checkpoint: str | Path | None = None) -> WorkDir:
        """Find config and checkpoint of a work dir.

        Raises:
            FileNotFoundError: If there is none; names the way out.
            BadInput: If it is no folder, or if there are several configs.
        """
        folder = Path(folder)
        if not os.path.exists(folder):
            raise FileNotFoundError(f'There is no work dir {shown(str(folder), 200)}: {WAY_OUT}.')
        if not folder.is_dir():
            raise BadInput(f"'{folder}' is no folder: {WAY_OUT}.")
        configs = sorted(path for path in folder.glob('*.py') if path.is_file())
        if not configs:
            raise FileNotFoundError(f"'{folder}' holds no config: {WAY_OUT}.")
        if len(configs) > 1:
            names = ', '.join(path.name for path in configs)
            raise BadInput(f"'{folder}' holds several configs ({names}): keep the run's own.")
        return cls(folder, configs[0], _find_checkpoint(folder, checkpoint))


def _find_checkpoint(folder: Path, checkpoint: str | Path | None) -> Path:
    if checkpoint is None:
        pointer = folder / 'last_checkpoint'
        if not pointer.is_file():
            raise FileNotFoundError(f"'{folder}' has no last_checkpoint yet: give a checkpoint.")
        checkpoint = Path(read_text(pointer, 'pointer to a checkpoint').strip())
        # A work dir that has moved keeps its checkpoints beside it.
        checkpoint = checkpoint if os.path.isfile(checkpoint) else folder / checkpoint.name
    if not os.path.isfile(checkpoint):
        raise FileNotFoundError(
            f'There is no checkpoint {shown(str(checkpoint), 200)}: give one that tools/train.py '
            'wrote.'
        )
    return Path(checkpoint)


@matplotlib.rc_context(PLAIN_TEXT)
def report_page(
    work_dir: WorkDir, most_images: int | None = None, shown: int = 4, device: str | None = None
) -> str:
    """Score a run on its validation images and write everything about it on a page.

    Args:
        work_dir: The run.
        most_images: Validation images that are scored. Default: all.
        shown: Best and worst images shown, each. Default: 4.
        device: Default: the GPU if there is one.

    Raises:
        BadInput: If something in the work dir cannot be used.
        FileNotFoundError: If something is missing.
    """
    if most_images is not None:
        check_whole('--images', most_images, '[1, inf)')
    check_whole('shown', shown, '[0, inf)')
    curves = read_scalars(work_dir.folder)
    inferencer = TagInferencer(work_dir.config, work_dir.checkpoint, device)
    result = score_run(each_subject(inferencer, most_images))
    sections = [
        _notice(inferencer),
        _summary(work_dir, result),
        _section('Curves', *_curves(curves)),
        _section('Scores by class', _score_table(inferencer, result)),
        _section('Confusion', _confusion(inferencer, result)),
        _section('Worst images', *_gallery(inferencer, result.images[:shown])),
        _section('Best images', *_gallery(inferencer, result.images[::-1][:shown])),
        _section('Provenance', _provenance(work_dir.checkpoint)),
        _section('Configuration', _details(work_dir)),
    ]
    title = html.escape(f'{inferencer.model.NAME}: {work_dir.folder.resolve().name}')
    return PAGE.format(title=title, style=STYLE, body=''.join(sections))


# Sections ------------------------------------------------------------------------------------


def _section(title: str, *parts: str) -> str:
    return f'<section><h2>{html.escape(title)}</h2>{"".join(parts)}</section>'


def _notice(inferencer: TagInferencer) -> str:
    return f'<p class="notice">{html.escape(inferencer.notice)}</p>' if inferencer.notice else ''


def _summary(work_dir: WorkDir, result: RunScores) -> str:
    means = result.scores.means()
    numbers = [
        ('mIoU', f'{means["mIoU"]:.1f} %'),
        ('precision', f'{means["mPrecision"]:.1f} %'),
        ('recall', f'{means["mRecall"]:.1f} %'),
        ('confusion ratio', _number(means['mConfusion'], 2)),
    ]
    tiles = ''.join(f'<div><b>{value}</b><span>{name}</span></div>' for name, value in numbers)
    text = (
        f'{work_dir.checkpoint.name} on {len(result.images)} validation images: the decoder’s '
        'prediction, one scale, without DenseCRF.'
    )
    return f'<div class="tiles">{tiles}</div><p>{html.escape(text)}</p>'


def _curves(scalars: Mapping[str, Curve]) -> list[str]:
    pictures = []
    for title, names in CURVES.items():
        drawn = {name: scalars[name] for name in names if name in scalars}
        if drawn:
            pictures.append(_figure(_svg(_curve_figure(drawn)), title))
    return ['<div class="grid">', *pictures, '</div>']


def _score_table(inferencer: TagInferencer, result: RunScores) -> str:
    scores, means = result.scores, result.scores.means()
    columns = {
        'IoU %': [*(100 * scores.iou).tolist(), means['mIoU']],
        'precision %': [*(100 * scores.precision).tolist(), means['mPrecision']],
        'recall %': [*(100 * scores.recall).tolist(), means['mRecall']],
        'confusion ratio': [*scores.confusion.tolist(), means['mConfusion']],
    }
    if inferencer.vocabulary.classes == VOC_CLASSES and not inferencer.notice:
        method = inferencer.model.NAME
        for column, score in {'IoU %': 'iou', 'confusion ratio': 'confusion'}.items():
            rows = PUBLISHED['voc_val'][score]
            columns |= {
                f'paper: {column}': values for name, values in rows if name.startswith(method)
            }
    head = ''.join(f'<th scope="col">{name}</th>' for name in ('class', *columns))
    names = ('background', *inferencer.vocabulary.classes, 'mean')
    body = []
    for number, name in enumerate(names):
        cells = ''.join(
            f'<td>{_number(values[number], 2 if "ratio" in column else 1)}</td>'
            for column, values in columns.items()
        )
        swatch = _swatch(inferencer.palette[number]) if name != 'mean' else ''
        body.append(f'<tr><th scope="row">{swatch}{html.escape(name)}</th>{cells}</tr>')
    table = f'<table><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>'
    return f'<div class="wide">{table}</div>'


def _confusion(inferencer: TagInferencer, result: RunScores) -> str:
    names = ('background', *inferencer.vocabulary.classes)
    caption = 'Pixels of each true class (row) by predicted class (column), in percent.'
    return _figure(_svg(_confusion_figure(result, names)), caption, 'wide')


def _gallery(inferencer: TagInferencer, images: Sequence[tuple[float, int, str]]) -> list[str]:
    subjects = subjects_of_dataset(inferencer, [index for _, index, _ in images])
    parts = []
    for (score, _, name), subject in zip(images, subjects, strict=True):
        heading = f'<h3>{html.escape(name)} <small>mIoU {score:.1f} %</small></h3>'
        parts.append(f'{heading}<div class="strip">{_pictures(subject)}</div>')
    return parts


def _pictures(subject: Subject) -> str:
    answer, pixels = subject.ask(), subject.image.pixels
    labels = {
        'truth': subject.truth,
        'prediction': answer.prediction,
        'pseudo label': answer.pseudo_label,
    }
    pictures = {'image': pixels}
    pictures |= {name: known.paint() for name, known in labels.items() if known is not None}
    for tag, heat in zip(answer.tags, answer.maps, strict=True):
        pictures[f'map: {tag}'] = heat_overlay(stretched(heat), pixels)
    return ''.join(_figure(_img(array, name), name) for name, array in pictures.items())


def _provenance(checkpoint: Path) -> str:
    content = read_checkpoint(checkpoint)
    meta = content.get('meta') if isinstance(content, Mapping) else None
    meta = meta if isinstance(meta, Mapping) else {}
    facts = {
        'checkpoint': checkpoint.name,
        'iteration': meta.get('iter'),
        'written': meta.get('time'),
        'seed': meta.get('seed'),
        **_flat(meta.get('excel')),
    }
    rows = ''.join(
        f'<tr><th scope="row">{html.escape(key)}</th><td>{html.escape(_brief(value))}</td></tr>'
        for key, value in facts.items()
        if value is not None
    )
    return f'<div class="wide"><table class="facts"><tbody>{rows}</tbody></table></div>'


def _details(work_dir: WorkDir) -> str:
    text = html.escape(read_text(work_dir.config, 'config'))
    name = html.escape(work_dir.config.name)
    return f'<details><summary>{name}</summary><pre>{text}</pre></details>'


# Pictures ------------------------------------------------------------------------------------


def _curve_figure(curves: Mapping[str, Curve]) -> Figure:
    figure = Figure(figsize=(4.4, 2.6), layout='constrained')
    axis = figure.subplots()
    for (name, curve), colour in zip(curves.items(), COLOURS, strict=False):
        marker = 'o' if len(curve) < 40 else ''
        axis.plot(
            list(curve), list(curve.values()), marker, ls='-', ms=3, lw=1.3, c=colour, label=name
        )
    axis.set_xlabel('iteration')
    axis.set_xlim(left=0)
    axis.grid(linewidth=0.3)
    axis.spines[['top', 'right']].set_visible(False)
    if len(curves) > 1:
        axis.legend(frameon=False)
    return figure


def _confusion_figure(result: RunScores, names: Sequence[str]) -> Figure:
    counts = result.matrix[:, : len(names)].double()
    shares = (counts / result.matrix.sum(dim=1, keepdim=True)).nan_to_num(0).numpy()
    side = 1.6 + 0.26 * len(names)
    figure = Figure(figsize=(side, side), layout='constrained')
    axis = figure.subplots()
    axis.tick_params(labelsize=8, length=0)
    axis.pcolormesh(shares, cmap=HEAT_MAP, vmin=0, vmax=1, edgecolors='white', linewidth=0.3)
    axis.invert_yaxis()
    ticks = np.arange(len(names)) + 0.5
    axis.set_xticks(ticks, names, rotation=90)
    axis.set_yticks(ticks, names)
    axis.set(xlabel='predicted', ylabel='true', aspect='equal')
    for row, column in zip(*np.nonzero(shares >= 0.05), strict=True):
        axis.text(
            *(column + 0.5, row + 0.5),
            f'{100 * shares[row, column]:.0f}',
            ha='center',
            va='center',
            fontsize=6,
            color='black' if shares[row, column] > 0.6 else 'white',
        )
    return figure


def _svg(figure: Figure) -> str:
    """A figure as an SVG element whose text is text."""
    with matplotlib.rc_context(SVG_STYLE):
        FigureCanvasSVG(figure)
        text = io.StringIO()
        figure.savefig(text, format='svg', metadata={'Date': None, 'Creator': None})
    svg = text.getvalue()
    return svg[svg.index('<svg') :].replace('<svg ', '<svg role="img" ', 1)


def _img(pixels: np.ndarray, name: str) -> str:
    """Pixels as an element that carries them."""
    image = Image.fromarray(pixels)
    if image.width > PICTURE_WIDTH:
        size = (PICTURE_WIDTH, max(1, round(image.height * PICTURE_WIDTH / image.width)))
        image = image.resize(size, Image.Resampling.BOX)
    buffer = io.BytesIO()
    image.save(buffer, format='PNG', optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(name)}" src="data:image/png;base64,{data}">'


def _figure(content: str, caption: str, kind: str = '') -> str:
    return (
        f'<figure class="{kind}">{content}<figcaption>{html.escape(caption)}</figcaption></figure>'
    )


def _swatch(rgb: Sequence[int]) -> str:
    return f'<i style="background:rgb({rgb[0]},{rgb[1]},{rgb[2]})"></i>'


def _number(value: float, decimals: int) -> str:
    if math.isnan(value):
        return '–'
    return '∞' if math.isinf(value) else f'{value:.{decimals}f}'


def _flat(facts: object, prefix: str = '', depth: int = 0) -> dict[str, object]:
    """Nested facts by their paths, as deep as anybody writes them; nothing of what are no facts."""
    flat: dict[str, object] = {}
    for key, value in facts.items() if isinstance(facts, Mapping) else ():
        name = f'{prefix}{key}'
        if isinstance(value, Mapping) and depth < DEEPEST:
            flat |= _flat(value, f'{name} · ', depth + 1)
        else:
            flat[name] = value
    return flat


def _brief(fact: Any) -> str:
    listed = isinstance(fact, list | tuple) and all(isinstance(item, str) for item in fact)
    text = ', '.join(fact) if listed else str(fact)
    return text if len(text) <= LONGEST_FACT else f'{text[:LONGEST_FACT]}...'
