"""Write the trained predictor as a file for other programs: ONNX, or .pt2 of torch.export.

Examples:
  mmseg-excel export-onnx configs/excel_voc.py iter_30000.pth --out excel_voc.onnx
  mmseg-excel export-onnx configs/excel_voc.py iter_30000.pth --out excel_voc.pt2
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ...utils.arguments import Parser, add_config_options, output_file


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, or the name of a packaged recipe')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', type=output_file, required=True, help='file to write')
    add_config_options(parser)
    return parser.parse_args(argv)
