"""Draw the paper's figures for your own images or a data set's.

Examples:
  mmseg-excel visualize cam excel_voc iter_30000.pth --images cat.jpg --tags cat,sofa
  mmseg-excel visualize cam excel_voc iter_30000.pth --beside clip_es_voc weclip_voc=w.pth
  mmseg-excel visualize segmentation excel_voc iter_30000.pth --compare SeCo=seco_labels
  mmseg-excel visualize attention excel_voc --images cat.jpg --tags cat --point 120 80
  mmseg-excel visualize convergence work_dirs/excel_voc work_dirs/other
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ...utils.arguments import (
    Parser,
    device,
    named_folder,
    number,
    output_folder,
    whole_number,
)

KINDS = {
    'cam': 'maps as the parts of the method are added (Fig. 3)',
    'segmentation': 'pseudo labels and predictions (Figs. 4, 5)',
    'attributes': 'responses of single attributes, and kinds of text (Fig. 6)',
    'attention': 'attention from a point, by calibration (Figs. 1, 7, 8)',
}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest='kind', required=True)
    for name, text in KINDS.items():
        kind = kinds.add_parser(name, help=text, description=text)
        add_model_arguments(kind)
    kinds.choices['attention'].add_argument(
        '--point',
        nargs=2,
        type=number('[0, 1000000]'),
        metavar=('X', 'Y'),
        help='query, in pixels of the image',
    )
    kinds.choices['attributes'].add_argument(
        '--count', type=whole_number('[1, 1000]'), default=5, help='attributes a row (default: 5)'
    )
    for name in ('cam', 'segmentation'):
        kinds.choices[name].add_argument(
            '--beside',
            nargs='+',
            default=[],
            metavar='CONFIG[=CHECKPOINT]',
            help='further models, of any method, a column each',
        )
    kinds.choices['segmentation'].add_argument(
        '--compare',
        nargs='+',
        type=named_folder,
        default=[],
        metavar='NAME=FOLDER',
        help='label PNGs from elsewhere, named after the images, a column each',
    )
    curves = kinds.add_parser('convergence', help='scores during training (Fig. 2)')
    curves.add_argument('work_dirs', nargs='+', help='folders that tools/train.py wrote')
    curves.add_argument('--metric', default='mIoU')
    for kind in kinds.choices.values():
        kind.add_argument(
            '--out', type=output_folder, default='figures', help='folder of the figures'
        )
    return parser.parse_args(argv)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', help='config file, or the name of a packaged one')
    parser.add_argument('checkpoint', nargs='?', help='without one, what needs no training')
    parser.add_argument('--images', nargs='+', help='image files; without any, --samples are drawn')
    parser.add_argument(
        '--tags', nargs='+', help='what each image shows, separated by commas; one for all will do'
    )
    parser.add_argument(
        '--samples',
        nargs='+',
        type=whole_number('[0, 1000000]'),
        default=[0, 1, 2],
        help='validation images (default: 0 1 2)',
    )
    parser.add_argument('--device', type=device, help='default: the GPU if there is one')
