"""Write the pseudo labels of a whole split as palette PNGs, for any segmentor to train on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ...utils.arguments import (
    Parser,
    add_runner_arguments,
    number,
    output_folder,
    whole_number,
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument('config', help='config file, or the name of a packaged recipe')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='its adapter calibrates maps and affinity; without one, labels are training-free',
    )
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train')
    parser.add_argument('--out', type=output_folder, required=True, help='folder for the labels')
    parser.add_argument('--crf', action='store_true', help='sharpen the labels with DenseCRF')
    parser.add_argument(
        '--ignore-band',
        type=number('[0, 1]'),
        default=0.0,
        help='label pixels 255 whose best two scores differ by less, 0..1 (default: 0, none)',
    )
    parser.add_argument(
        '--confidence',
        type=output_folder,
        metavar='DIR',
        help='folder for the lead of the best score, as grey PNGs',
    )
    parser.add_argument('--batch-size', type=whole_number('[1, 4096]'), default=4)
    add_runner_arguments(parser)
    return parser.parse_args(argv)
