"""Train the toy CLIP on scenes of the toy world and captions of them, and write its weights.

Example: mmseg-excel train-toy-clip --steps 1800 --seed 0
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ...utils.arguments import (
    Parser,
    number,
    output_file,
    seed,
    whole_number,
    workers,
)

WEIGHTS = Path(__file__).parents[2] / 'assets' / 'excel-toy.safetensors'


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=output_file, default=str(WEIGHTS))
    parser.add_argument('--steps', type=whole_number('[1, 10000000]'), default=1800)
    parser.add_argument(
        '--batch-size',
        type=whole_number('[1, 65536]'),
        default=128,
        help='of all processes together',
    )
    parser.add_argument('--lr', type=number('(0, 1]'), default=1e-3)
    parser.add_argument('--seed', type=seed, default=0)
    parser.add_argument(
        '--scenes',
        type=whole_number('[1, 10000000]'),
        default=40000,
        help='scenes drawn beforehand',
    )
    parser.add_argument('--processes', type=workers, default=2)
    parser.add_argument(
        '--keep-every',
        type=whole_number('[0, 10000000]'),
        default=0,
        help='also save every N steps',
    )
    return parser.parse_args(argv)
