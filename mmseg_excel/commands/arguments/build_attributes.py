"""Build a config's attribute bank and show its clusters.

Training finds the bank in the cache afterwards.

Example:
    mmseg-excel build-attributes configs/excel_toy.py
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
    parser.add_argument('config', help='config of an ExCEL model')
    parser.add_argument('--out', type=output_file, help='also write the bank to this .npz file')
    add_config_options(parser)
    return parser.parse_args(argv)
