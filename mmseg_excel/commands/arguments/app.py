"""Serve a page to try ExCEL on: any words on any picture, in a browser.

Without CLIP weights it shows the toy world and its tiny CLIP.

Examples:
  mmseg-excel app
  mmseg-excel app --pretrained ViT-B-16.pt
  mmseg-excel app configs/excel_voc.py --checkpoint work_dirs/excel_voc/iter_30000.pth
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ...utils.arguments import (
    Parser,
    device,
    whole_number,
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'config',
        nargs='?',
        help='config file or the name of a packaged one (default: excel_toy; excel_voc where '
        'CLIP weights are given)',
    )
    parser.add_argument('--checkpoint', help='of a model trained with this config')
    parser.add_argument(
        '--beside',
        nargs='+',
        metavar='CONFIG[=CHECKPOINT]',
        help='further models of the method menu (default: WeCLIP and CLIP-ES on the same CLIP, if '
        'no config is named)',
    )
    parser.add_argument('--model', help="open_clip model name (default: the config's)")
    parser.add_argument(
        '--pretrained', help="CLIP's weights: open_clip tag or file (default: the config's)"
    )
    parser.add_argument(
        '--descriptions', help='description file; without a checkpoint its classes are the model’s'
    )
    parser.add_argument('--device', type=device, help='default: the GPU if there is one')
    parser.add_argument('--host', default='127.0.0.1', help='default: this machine only')
    parser.add_argument('--port', type=whole_number('[1, 65535]'), default=7860)
    return parser.parse_args(argv)
