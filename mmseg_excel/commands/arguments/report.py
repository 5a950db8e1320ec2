"""Write one self-contained HTML page about a work dir: scores, curves, pictures, provenance.

Example: mmseg-excel report work_dirs/excel_voc
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ...utils.arguments import (
    Parser,
    device,
    output_file,
    whole_number,
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument('work_dir', type=Path, help='folder that tools/train.py wrote')
    parser.add_argument('checkpoint', nargs='?', type=Path, help='default: the last one')
    parser.add_argument('--out', type=output_file, help='default: report.html in the work dir')
    parser.add_argument(
        '--images',
        type=whole_number('[1, inf)'),
        help='score only the first validation images',
    )
    parser.add_argument('--device', type=device, help='default: the GPU if there is one')
    return parser.parse_args(argv)
