"""Test (and evaluate) a segmentor.

Example: mmseg-excel test configs/excel_voc.py work_dirs/excel_voc/iter_30000.pth --tta
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ...utils.arguments import (
    Parser,
    add_runner_arguments,
    number,
    output_folder,
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, or the name of a packaged recipe')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='checkpoint file; without one, only model.test_cfg.source=cam makes sense',
    )
    parser.add_argument('--out', type=output_folder, help='folder for the predicted label PNGs')
    parser.add_argument(
        '--format-only', action='store_true', help="write the benchmark server's upload, no scores"
    )
    parser.add_argument('--show', action='store_true', help='show predictions in a window')
    parser.add_argument('--show-dir', type=output_folder, help='folder for painted predictions')
    parser.add_argument(
        '--wait-time', type=number('[0, 3600]'), default=2, help='seconds a window stays'
    )
    parser.add_argument(
        '--tta', action='store_true', help='multi-scale and flip views, and DenseCRF'
    )
    add_runner_arguments(parser)
    return parser.parse_args(argv)
