"""Reproduce a published experiment: prepare, train, test, tables and a fairness card.

Examples:
  mmseg-excel reproduce voc --data data/VOCdevkit/VOC2012 --sbd benchmark_RELEASE/dataset
  mmseg-excel reproduce coco --data data/coco --method weclip --seeds 0 1 2
  mmseg-excel reproduce toy --data data/toy/VOC2012

Data and weights are looked for first. Killed, the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ...utils.arguments import Parser, add_config_options, output_folder, seed

METHODS = ('excel', 'weclip', 'clip-es')


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('benchmark', choices=('voc', 'coco', 'toy'))
    parser.add_argument('--data', type=Path, required=True, help='folder of the data')
    parser.add_argument('--method', choices=METHODS, default='excel', help='default: excel')
    parser.add_argument('--clip', help="CLIP's weights (default: downloaded and cached)")
    parser.add_argument(
        '--seeds', nargs='+', type=seed, default=[0], help='one training each (default: 0)'
    )
    parser.add_argument('--sbd', help="SBD's benchmark_RELEASE/dataset, for VOC's train_aug")
    parser.add_argument(
        '--any-size', action='store_true', help="accept lists that are not the benchmark's size"
    )
    parser.add_argument(
        '--work-dir', type=output_folder, help='default: work_dirs/reproduce_METHOD_BENCHMARK'
    )
    add_config_options(parser)
    args = parser.parse_args(argv)
    if len(set(args.seeds)) < len(args.seeds):
        parser.error(f'--seeds names one twice: {" ".join(map(str, args.seeds))}')
    args.work_dir = args.work_dir or f'work_dirs/reproduce_{args.method}_{args.benchmark}'
    return args
