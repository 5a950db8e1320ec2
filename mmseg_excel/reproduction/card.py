"""The fairness card: all that one must know of a score to compare it with another."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch

from ..engine.mask_count_hook import MASKS_OPENED
from ..engine.small_checkpoint_hook import package_versions
from ..evaluation.published import PUBLISHED
from ..inference.loading import build_model
from ..models.tag_segmentor import TagSegmentor
from ..utils.plain import plain
from .plan import Plan

TOY = 'Toy world: generated scenes and a tiny CLIP. This says nothing about VOC or COCO.'
ANY_SIZE = (
    "The lists of images need not be the benchmark's (--any-size): scores are not comparable to "
    'published ones.'
)


def fairness_card(plan: Plan, seconds: Mapping[str, float]) -> dict:
    """Gather the card of a finished plan.

    Args:
        plan: The plan, all of whose steps are done.
        seconds: How long each step took.
    """
    cfg = plan.config()
    model: TagSegmentor = build_model(cfg)
    model.encode_classes()
    trained = plan.method != 'clip-es'
    views = cfg.get('tta_model') or {}
    return dict(
        notice=notice(plan),
        method=model.NAME,
        benchmark=plan.benchmark,
        recipe=plan.config_file.name,
        changed=plain(dict(plan.options)),
        scores=_scores(plan),
        published=published(plan, model.NAME),
        supervision=dict(
            tags=plain(cfg.val_dataloader.dataset.tag_source),
            masks_opened=_masks_opened(plan) if trained else 'nothing is trained',
        ),
        settings=plain(asdict(model.settings)),
        views=plain(
            {key: views[key] for key in ('type', 'size', 'scales', 'flip') if key in views}
        ),
        crf=plain(dict(views.get('post_processor') or {})),
        seeds=list(plan.seeds) if trained else [],
        clip=plain(model.backbone.identity()),
        texts=plain(model.text_head.identity()),
        versions=package_versions(),
        machine=_machine(),
        hours={name: round(value / 3600, 3) for name, value in seconds.items()},
    )


def markdown(card: Mapping) -> str:
    """The card to be read."""
    lines = [f'# {card["method"]} on {card["benchmark"]}', '']
    if card['notice']:
        lines += [f'**{card["notice"]}**', '']
    lines += ['| | mIoU | published |', '| --- | ---: | ---: |']
    for kind, values in card['scores'].items():
        lines.append(f'| {kind} | {_spread(values)} | {card["published"].get(kind, "–")} |')
    masks = card['supervision']['masks_opened']
    lines += ['', '| what | |', '| --- | --- |']
    told = dict(
        recipe=card['recipe'],
        changed=card['changed'] or 'nothing',
        tags=card['supervision']['tags'],
        **{'masks of training images opened': masks},
        settings=card['settings'],
        views=card['views'],
        DenseCRF=card['crf'],
        seeds=card['seeds'],
        CLIP=card['clip'],
        descriptions={k: card['texts'].get(k) for k in ('descriptions', 'sentences', 'mode')},
        versions=card['versions'],
        machine=card['machine'],
        hours=card['hours'],
    )
    lines += [f'| {name} | {_told(value)} |' for name, value in told.items()]
    return '\n'.join(lines) + '\n'


def _scores(plan: Plan) -> dict[str, list[float]]:
    return {
        kind: [json.loads(path.read_text())['mIoU'] for _, path in runs]
        for kind, runs in plan.tests().items()
    }


def notice(plan: Plan) -> str:
    """What keeps scores from being compared; nothing of a whole benchmark."""
    if plan.benchmark == 'toy':
        return TOY
    return ANY_SIZE if plan.any_size else ''


def published(plan: Plan, method: str) -> dict[str, float]:
    """The published mean of a whole benchmark, which is of all views and a DenseCRF."""
    if plan.any_size:
        return {}
    rows = PUBLISHED.get(f'{plan.benchmark}_val', {}).get('iou', [])
    means = {name.split()[0]: values[-1] for name, values in rows}
    return {'all views + DenseCRF': means[method]} if method in means else {}


def _masks_opened(plan: Plan) -> dict[str, int]:
    """Masks of training images that each training opened."""
    return {
        f'seed {seed}': len(json.loads(path.read_text())['of_training_images'])
        for seed in plan.seeds
        for path in [Path(plan.folder(seed)) / MASKS_OPENED]
    }


def _machine() -> dict[str, str]:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()
    return dict(device=device, system=platform.system(), python=platform.python_version())


def _spread(values: list[float]) -> str:
    mean = f'{statistics.fmean(values):.1f}'
    return mean if len(values) == 1 else f'{mean} ± {statistics.stdev(values):.1f}'


def _told(value: object) -> str:
    if isinstance(value, Mapping):
        return ', '.join(f'{name} {_told(item)}' for name, item in value.items()) or '–'
    if isinstance(value, list | tuple):
        return ' '.join(map(_told, value)) or '–'
    return str(value).replace('|', '\\|')
