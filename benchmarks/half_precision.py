"""How far autocast moves labels: share of pixels that stay as they are in float32.

    python -m benchmarks.half_precision --checkpoint work_dirs/demo/iter_1500.pth

The toy CLIP on toy scenes and on random ones, and random ViT-B/16, which knows nothing, so that
its maps are decided by a hair. Without a checkpoint of ``configs/excel_toy.py`` adapter and decoder
are random, too.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import register_all_modules
from torch import Tensor

from benchmarks.case import build_case, random_scenes, random_tags, samples_with
from benchmarks.literal.images import normalise
from benchmarks.toy_texts import pixels_of, tags_of
from mmseg_excel.datasets.toy.scenes import generate_scene
from mmseg_excel.models.excel import ExCEL

TOY_CONFIG = Path(__file__).parents[1] / 'configs/excel_toy.py'
DTYPES = dict(bf16=torch.bfloat16, fp16=torch.float16)
BATCH = 16


@dataclass
class Batch:
    """Normalised images (B, 3, S, S) and samples with their tags."""

    images: Tensor
    samples: list[SegDataSample]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--checkpoint', help='of configs/excel_toy.py')
    parser.add_argument('--scenes', type=int, default=192, help='of the toy world')
    parser.add_argument('--batches', type=int, default=12, help='of four random scenes')
    parser.add_argument('--dtype', choices=list(DTYPES), default='bf16')
    parser.add_argument('--device', default='cpu')
    return parser.parse_args()


def build_toy_model(checkpoint: str | None, device: str) -> ExCEL:
    register_all_modules(init_default_scope=True)
    model = MODELS.build(Config.fromfile(TOY_CONFIG).model)
    model.init_weights()
    if checkpoint:
        load_checkpoint(model, checkpoint, map_location='cpu')
    return model.to(device).eval()


def random_batches(count: int, num_classes: int, device: str) -> list[Batch]:
    """Random scenes of 160x160, four a batch, with two random tags each."""
    batches = []
    for _ in range(count):
        images = normalise(random_scenes(4, 160)).to(device)
        tags = random_tags(4, num_classes, 2).to(device)
        batches.append(Batch(images, samples_with(tags)))
    return batches


def toy_batches(count: int, device: str) -> list[Batch]:
    """Scenes of the toy world, 96x96."""
    seeds = range(count)
    return [toy_batch(seeds[start : start + BATCH], device) for start in range(0, count, BATCH)]


def toy_batch(seeds: range, device: str) -> Batch:
    scenes = [generate_scene(np.random.default_rng(seed), 96) for seed in seeds]
    tags = torch.stack([tags_of(scene) for scene in scenes])
    return Batch(normalise(pixels_of(scenes)).to(device), samples_with(tags.to(device)))


@torch.no_grad()
def agreement(model: ExCEL, batches: list[Batch], dtype: torch.dtype) -> dict[str, list[float]]:
    """Per kind of label, the shares of equal pixels, one an image."""
    shares: dict[str, list[float]] = {}
    for batch in batches:
        exact = labels_of(model, batch)
        with torch.autocast(batch.images.device.type, dtype):
            rounded = labels_of(model, batch)
        for kind, labels in exact.items():
            equal = (labels == rounded[kind]).flatten(1).float().mean(dim=1)
            shares.setdefault(kind, []).extend(equal.tolist())
    return shares


def labels_of(model: ExCEL, batch: Batch) -> dict[str, Tensor]:
    return {
        'static pseudo labels': model.pseudo_labels(batch.images, batch.samples).labels,
        'dynamic pseudo labels': model.pseudo_labels(
            batch.images, batch.samples, dynamic=True
        ).labels,
        'predictions': model.encode_decode(batch.images).max(dim=1).indices,
    }


def lines_of(shares: dict[str, list[float]]) -> Iterator[str]:
    for kind, values in shares.items():
        worse = np.mean(np.less(values, 0.995))
        yield (
            f'  {kind:22} {np.mean(values):.4f} of the pixels agree; {100 * worse:.0f} % of the '
            f'images below 0.995, the worst {min(values):.4f}'
        )


def main() -> None:
    args = parse_args()
    torch.manual_seed(0)
    toy = build_toy_model(args.checkpoint, args.device)
    vit = build_case(side=160, device=args.device).ours.eval()
    cases = {
        'toy CLIP, toy scenes': (toy, toy_batches(args.scenes, args.device)),
        'toy CLIP, random scenes': (
            toy, random_batches(args.batches, toy.num_classes - 1, args.device)
        ),
        'random ViT-B/16, random scenes': (
            vit, random_batches(args.batches, vit.num_classes - 1, args.device)
        ),
    }  # fmt: skip
    for name, (model, batches) in cases.items():
        print(name)
        print('\n'.join(lines_of(agreement(model, batches, DTYPES[args.dtype]))), flush=True)


if __name__ == '__main__':
    main()
