"""Convert checkpoints of the published reference implementation to ours, and back.

Examples:
  mmseg-excel convert-checkpoint configs/excel_voc.py excel_voc_reference.pth --out voc.pth
  mmseg-excel convert-checkpoint configs/excel_voc.py iter_30000.pth --to-reference --out r.pth
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ...utils.arguments import (
    Parser,
    add_config_options,
    output_file,
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of the data set and CLIP it was trained on')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', type=output_file, required=True, help='converted checkpoint')
    parser.add_argument(
        '--to-reference', action='store_true', help='from ours to the names of the reference'
    )
    add_config_options(parser)
    return parser.parse_args(argv)
