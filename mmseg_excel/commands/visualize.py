"""Draw the paper's figures for your own images or a data set's."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..inference.inferencer import TagInferencer
from ..inference.loading import named_model
from ..inference.subject import Subject, subjects_of_dataset, subjects_of_files
from ..utils.cli import bad_input_exits
from ..visualization.attention import attention_figure
from ..visualization.attribute_responses import attributes_figure
from ..visualization.cam import cam_figure
from ..visualization.convergence import convergence_figure
from ..visualization.figure import save_figure
from ..visualization.segmentation import segmentation_figure

FIGURES: dict[str, Callable[..., Figure]] = {
    'cam': cam_figure,
    'segmentation': segmentation_figure,
    'attributes': attributes_figure,
    'attention': attention_figure,
}


def draw(args: argparse.Namespace) -> Figure:
    if args.kind == 'convergence':
        return convergence_figure(args.work_dirs, args.metric)
    subjects = load_subjects(args.config, args.checkpoint, args)
    options: dict[str, Any] = {}
    if args.kind in ('cam', 'segmentation'):
        beside = (named_model(name) for name in args.beside)
        options['beside'] = [load_subjects(*model, args) for model in beside]
    if args.kind == 'segmentation':
        options['compare'] = dict(args.compare)
    if args.kind == 'attributes':
        options['count'] = args.count
    if args.kind == 'attention' and args.point:
        options['points'] = [tuple(args.point)] * len(subjects)
    return FIGURES[args.kind](subjects, **options)


def load_subjects(config: str, checkpoint: str | None, args: argparse.Namespace) -> list[Subject]:
    inferencer = TagInferencer(config, checkpoint, args.device)
    if not args.images:
        return subjects_of_dataset(inferencer, args.samples)
    if not args.tags:
        raise ValueError('--images need --tags: what they show, for example --tags cat,sofa.')
    tags = [[name.strip() for name in names.split(',')] for names in args.tags]
    return subjects_of_files(inferencer, args.images, tags)


def run(args: argparse.Namespace) -> None:
    with bad_input_exits():
        files = save_figure(draw(args), Path(args.out) / args.kind)
        print(*files, sep='\n')
