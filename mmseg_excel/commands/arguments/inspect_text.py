"""Show what enrichment does to class texts: attributes, weights, confusable classes.

Example:
    mmseg-excel inspect-text configs/excel_toy.py --classes boat fish --picture weights.png
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ...utils.arguments import (
    Parser,
    add_config_options,
    output_file,
    whole_number,
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of an ExCEL model')
    parser.add_argument('--classes', nargs='+', help='classes to show (default: all)')
    parser.add_argument(
        '--top',
        type=whole_number('[1, 100000]'),
        default=10,
        help='attributes to show for each class',
    )
    parser.add_argument(
        '--picture', type=output_file, help='write a class-by-attribute heat map to this PNG file'
    )
    add_config_options(parser)
    return parser.parse_args(argv)
