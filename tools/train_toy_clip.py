"""Train the toy CLIP on freshly drawn scenes of the toy world, and write its weights.

Example: python tools/train_toy_clip.py --steps 800 --seed 0
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import open_clip
import torch
from open_clip.loss import ClipLoss
from safetensors.torch import save_file
from torch.nn.attention import SDPBackend, sdpa_kernel

import mmseg_excel.datasets.toy
from mmseg_excel.datasets.toy.captions import write_caption
from mmseg_excel.datasets.toy.scenes import Scene, generate_scene

ASSETS = Path(mmseg_excel.datasets.toy.__file__).parents[2] / 'assets'
MODEL = 'excel-toy'
MEAN = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
STD = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)
SIZE = 64
OBJECT_SCALE = (0.34, 0.9)


def draw_scene(seed: tuple[int, int]) -> Scene:
    """Return scene ``seed`` = (series, number) of an endless series."""
    return generate_scene(np.random.default_rng(seed), SIZE, OBJECT_SCALE)


def draw_pool(seed: int, count: int, workers: int) -> list[Scene]:
    """Return the first ``count`` scenes of series ``seed``, drawn by ``workers`` processes."""
    with multiprocessing.Pool(workers) as pool:
        scenes = pool.imap(draw_scene, ((seed, number) for number in range(count)), chunksize=256)
        return list(scenes)


def batches(
    scenes: list[Scene], steps: int, batch_size: int, seed: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield normalised images (B, 3, S, S), mirrored at random, and tokens of newly written captions."""
    rng = np.random.default_rng(seed)
    tokenize = open_clip.get_tokenizer(MODEL)
    for _ in range(steps):
        chosen = [scenes[i] for i in rng.choice(len(scenes), batch_size, replace=False)]
        images = torch.from_numpy(np.stack([scene.image for scene in chosen])).permute(0, 3, 1, 2)
        mirrored = torch.from_numpy(rng.random(batch_size) < 0.5)
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        captions = [write_caption(rng, scene) for scene in chosen]
        yield (images - MEAN) / STD, tokenize(captions)


def learning_rate(step: int, steps: int, peak: float, warmup: int = 60) -> float:
    """Return the rate at ``step``: linear warm-up, then a cosine down to 1 % of ``peak``."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(steps - warmup, 1)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict]:
    """Decay matrices only: no biases, norms, embeddings or temperature."""
    decayed, plain = [], []
    for name, parameter in model.named_parameters():
        matrix = parameter.ndim >= 2 and 'embedding' not in name
        (decayed if matrix else plain).append(parameter)
    return [{'params': decayed, 'weight_decay': weight_decay}, {'params': plain, 'weight_decay': 0.0}]


def train(args: argparse.Namespace) -> torch.nn.Module:
    """Return the trained model, on the CPU, in float32."""
    scenes = draw_pool(args.seed, args.scenes, args.workers)
    print(f'drew {len(scenes)} scenes', flush=True)
    torch.manual_seed(args.seed)
    model = open_clip.create_model(MODEL).train()
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.1), lr=args.lr, betas=(0.9, 0.98))
    criterion = ClipLoss()

    started, running = time.monotonic(), None
    for step, (images, tokens) in enumerate(
        batches(scenes, args.steps, args.batch_size, args.seed)
    ):
        for group in optimizer.param_groups:
            group['lr'] = learning_rate(step, args.steps, args.lr)
        with torch.autocast('cpu', torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
            image_features, text_features, scale = model(images, tokens)[:3]
        loss = criterion(image_features.float(), text_features.float(), scale)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))

        running = loss.item() if running is None else 0.95 * running + 0.05 * loss.item()
        if (step + 1) % 20 == 0 or step + 1 == args.steps:
            pace = (time.monotonic() - started) / (step + 1)
            print(
                f'step {step + 1}/{args.steps}  loss {running:.3f}  scale {scale.item():.1f}'
                f'  {pace:.2f} s/step  {pace * (args.steps - step - 1) / 60:.1f} min left',
                flush=True,
            )
        if args.keep_every and (step + 1) % args.keep_every == 0:
            save(model, args.out.with_suffix(f'.{step + 1}.safetensors'), args)
    return model.eval()


def save(model: torch.nn.Module, path: Path, args: argparse.Namespace) -> None:
    """Write the weights in half precision, with how they were made, under a temporary name first."""
    weights = {name: value.detach().half().contiguous() for name, value in model.state_dict().items()}
    command = f'python tools/train_toy_clip.py --steps {args.steps} --seed {args.seed} --lr {args.lr}'
    metadata = {
        'format': 'pt',
        'model': MODEL,
        'seed': str(args.seed),
        'command': f'{command} --batch-size {args.batch_size}',
        'torch': torch.__version__,
        'open_clip': open_clip.__version__,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.tmp')
    save_file(weights, temporary, metadata)
    os.replace(temporary, path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, default=ASSETS / f'{MODEL}.safetensors')
    parser.add_argument('--steps', type=int, default=800)
    parser.add_argument('--batch-size', type=int, default=128)
    parser.add_argument('--lr', type=float, default=1e-3)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--scenes', type=int, default=32000, help='size of the pool of scenes')
    parser.add_argument('--workers', type=int, default=2, help='processes that draw scenes')
    parser.add_argument('--keep-every', type=int, default=0, help='also save every N steps')
    args = parser.parse_args()
    if args.steps < 1 or args.batch_size < 2:
        print('error: --steps must be at least 1 and --batch-size at least 2', file=sys.stderr)
        return 2
    open_clip.add_model_config(ASSETS / f'{MODEL}.json')
    save(train(args), args.out, args)
    print(f'wrote {args.out} ({args.out.stat().st_size / 1e6:.1f} MB)')
    return 0


if __name__ == '__main__':
    sys.exit(main())
