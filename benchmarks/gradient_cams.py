"""Gradient CAMs in closed form beside one autograd pass a class.

    python -m benchmarks.gradient_cams --threads 2

Random ViT-B/16, one image of 384x512, 3 classes; both run in turn, and begin where the last block
begins.
"""

from __future__ import annotations

import argparse

import open_clip
import torch
import torch.nn.functional as F

from benchmarks.literal.gradient_cams import gradient_cams as by_autograd
from benchmarks.timing import interleaved
from mmseg_excel.models.gradient_cam import gradient_cams

SCALE, NUM_CLASSES, NUM_TEXTS = 100.0, 20, 45


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--size', type=int, nargs=2, default=(384, 512), help='of the image')
    parser.add_argument('--classes', type=int, default=3, help='of the image')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--repeats', type=int, default=7)
    return parser.parse_args()


def random_case(size: tuple[int, int], num_classes: int) -> tuple:
    """Arguments of both implementations."""
    torch.manual_seed(0)
    clip = open_clip.create_model('ViT-B-16-quickgelu')
    tower = clip.visual.eval().requires_grad_(False)
    width, joint = tower.proj.shape
    tokens = torch.randn(1, 1 + size[0] * size[1] // 16**2, width)
    texts = F.normalize(torch.randn(NUM_TEXTS, joint), dim=1)
    allowed = torch.ones(1, NUM_TEXTS, dtype=torch.bool)
    allowed[:, num_classes:NUM_CLASSES] = False
    return tower, tokens, texts, allowed, torch.arange(num_classes)[None], SCALE


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    case = random_case(tuple(args.size), args.classes)
    ours, oracle = gradient_cams(*case), by_autograd(*case)
    error = (ours - oracle).abs().max() / oracle.abs().max()
    timings = interleaved(
        {'autograd': lambda: by_autograd(*case), 'closed form': lambda: gradient_cams(*case)},
        args.repeats,
    )
    for name, timing in timings.items():
        print(f'{name:12} {timing.wall:.3f} s on the wall, {timing.cpu:.3f} s of processors')
    slow, fast = timings['autograd'], timings['closed form']
    print(f'ratio {slow.wall / fast.wall:.2f} wall, {slow.cpu / fast.cpu:.2f} processors')
    print(f'largest difference {error:.1e} of the largest value')


if __name__ == '__main__':
    main()
