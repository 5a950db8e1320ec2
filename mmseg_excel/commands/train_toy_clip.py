"""Train the toy CLIP on scenes of the toy world and captions of them, and write its weights."""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import open_clip
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from open_clip.loss import ClipLoss
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parallel import DistributedDataParallel

from ..datasets.toy.captions import TEMPLATE, write_caption
from ..datasets.toy.scenes import BUSY, Scene, generate_scene
from ..text.vocabulary import TOY_BACKGROUNDS, TOY_CLASSES
from ..utils.bad_input import BadInput
from ..utils.cli import bad_input_exits, bad_input_exits_while_working

ASSETS = Path(__file__).parents[1] / 'assets'
MODEL = 'excel-toy'
NAMES = TOY_CLASSES + TOY_BACKGROUNDS
MEAN = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
STD = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)
SIZE = 64
# Most steps see half of the patches, for speed; the last ones see all.
PATCH_DROPOUT = 0.5
DROPOUT_UNTIL = 0.85


def draw_scenes(seed: int, count: int, rank: int) -> list[Scene]:
    """Return ``count`` scenes of this process's own series."""
    return [
        generate_scene(np.random.default_rng((seed, rank, number)), SIZE, BUSY)
        for number in range(count)
    ]


def batches(
    scenes: list[Scene], steps: int, batch_size: int, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield normalised images (B, 3, S, S), tokens of new captions, and what is shown (B, T)."""
    tokenize = open_clip.get_tokenizer(MODEL)
    for _ in range(steps):
        chosen = [scenes[i] for i in rng.choice(len(scenes), batch_size, replace=False)]
        images = torch.from_numpy(np.stack([scene.image for scene in chosen])).permute(0, 3, 1, 2)
        mirrored = torch.from_numpy(rng.random(batch_size) < 0.5)
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        shown = [[name in scene.tags + scene.backgrounds for name in NAMES] for scene in chosen]
        captions = tokenize([write_caption(rng, scene) for scene in chosen])
        yield (images - MEAN) / STD, captions, torch.tensor(shown).float()


def prompt_loss(
    image_features: Tensor, prompt_features: Tensor, shown: Tensor, scale: Tensor
) -> Tensor:
    """Pull each image (B, C) to the prompts (T, C) of what it shows, away from the others.

    Classes compete with classes, and backgrounds with backgrounds.
    """
    logits = scale * image_features @ prompt_features.T
    sizes = (len(TOY_CLASSES), len(TOY_BACKGROUNDS))
    losses = [
        -(kind.log_softmax(1) * F.normalize(target, p=1, dim=1)).sum(1).mean()
        for kind, target in zip(logits.split(sizes, 1), shown.split(sizes, 1), strict=True)
    ]
    return sum(losses)


def learning_rate(step: int, steps: int, peak: float, warmup: int = 50) -> float:
    """Return the rate at ``step``: linear warm-up, then a cosine down to 1 % of ``peak``."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(steps - warmup, 1)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Decay matrices only: no biases, norms, embeddings or temperature."""
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        matrix = parameter.ndim >= 2 and 'embedding' not in name
        (decayed if matrix else plain).append(parameter)
    return [
        {'params': decayed, 'weight_decay': weight_decay},
        {'params': plain, 'weight_decay': 0.0},
    ]


def train(rank: int, args: argparse.Namespace, meeting_point: str) -> None:
    """Train as process ``rank`` of ``args.processes``; the first one reports and saves."""
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    dist.init_process_group('gloo', f'file://{meeting_point}', None, args.processes, rank)
    open_clip.add_model_config(ASSETS / f'{MODEL}.json')
    model = open_clip.create_model(MODEL, force_patch_dropout=PATCH_DROPOUT).train()
    losses = Losses(model, rank, args.processes)
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.1), lr=args.lr, betas=(0.9, 0.98))

    scenes = draw_scenes(args.seed, args.scenes // args.processes, rank)
    rng = np.random.default_rng((args.seed, rank))
    started = time.monotonic()
    data = batches(scenes, args.steps, args.batch_size // args.processes, rng)
    for step, batch in enumerate(data, start=1):
        for group in optimizer.param_groups:
            group['lr'] = learning_rate(step - 1, args.steps, args.lr)
        if step > DROPOUT_UNTIL * args.steps:
            model.visual.patch_dropout.prob = 0.0
        by_caption, by_prompt = losses(*batch)
        optimizer.zero_grad()
        (by_caption + by_prompt).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))

        if rank == 0 and (step % 20 == 0 or step == args.steps):
            print_progress(step, args.steps, time.monotonic() - started, by_caption, by_prompt)
        if rank == 0 and (step == args.steps or (args.keep_every and step % args.keep_every == 0)):
            save(model, args)
    dist.destroy_process_group()


class Losses:
    """What is asked of the model, of captions and of prompts, over all processes."""

    def __init__(self, model: nn.Module, rank: int, processes: int) -> None:
        self.parallel = DistributedDataParallel(model)
        self.caption_loss = ClipLoss(True, True, rank=rank, world_size=processes)
        self.prompts = open_clip.get_tokenizer(MODEL)([TEMPLATE.format(name) for name in NAMES])

    def __call__(self, images: Tensor, captions: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast('cpu', torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
            texts = torch.cat([captions, self.prompts])
            features, texts, scale = self.parallel(images, texts)[:3]
        features, texts = features.float(), texts.float()
        texts, prompt_texts = texts[: len(captions)], texts[len(captions) :]
        by_caption = self.caption_loss(features, texts, scale)
        return by_caption, prompt_loss(features, prompt_texts, shown, scale)


def print_progress(
    step: int, steps: int, seconds: float, by_caption: Tensor, by_prompt: Tensor
) -> None:
    pace = seconds / step
    print(
        f'step {step}/{steps}  caption loss {by_caption:.3f}  prompt loss {by_prompt:.3f}  '
        f'{pace:.2f} s/step  {pace * (steps - step) / 60:.1f} min left',
        flush=True,
    )


def save(model: nn.Module, args: argparse.Namespace) -> None:
    """Write the weights in half precision, and how they were made, to a temporary name first."""
    weights = {
        name: value.detach().half().contiguous() for name, value in model.state_dict().items()
    }
    settings = ('steps', 'seed', 'lr', 'batch_size', 'scenes', 'processes')
    options = ' '.join(f'--{key.replace("_", "-")} {getattr(args, key)}' for key in settings)
    metadata = {
        'format': 'pt',
        'model': MODEL,
        'seed': str(args.seed),
        'command': f'python tools/train_toy_clip.py {options}',
        'torch': torch.__version__,
        'open_clip': open_clip.__version__,
    }
    temporary = args.out.with_name(f'.{args.out.name}.tmp')
    save_file(weights, temporary, metadata)
    temporary.chmod(0o644)
    os.replace(temporary, args.out)


def run(args: argparse.Namespace) -> None:
    with bad_input_exits():
        if not 2 * args.processes <= args.batch_size <= args.scenes:
            raise BadInput(
                f'--batch-size is {args.batch_size}, but must be at least twice --processes '
                f'({args.processes}) and at most --scenes ({args.scenes}).'
            )
        args.out = Path(args.out)
        args.out.parent.mkdir(parents=True, exist_ok=True)
    with bad_input_exits_while_working():
        with tempfile.TemporaryDirectory() as folder:
            mp.spawn(train, (args, f'{folder}/meeting_point'), nprocs=args.processes)
        print(f'wrote {args.out} ({args.out.stat().st_size / 1e6:.1f} MB)')
