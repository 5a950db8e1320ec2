"""Draw the paper's figures for your own images or a data set's.

Examples:
  python tools/visualize.py cam excel_voc iter_30000.pth --images cat.jpg --tags cat,sofa
  python tools/visualize.py cam excel_voc iter_30000.pth --beside clip_es_voc weclip_voc=w.pth
  python tools/visualize.py segmentation excel_voc iter_30000.pth --compare SeCo=seco_labels
  python tools/visualize.py attention excel_voc --images cat.jpg --tags cat --point 120 80
  python tools/visualize.py convergence work_dirs/excel_voc work_dirs/other
"""

from __future__ import annotations

import argparse
from pathlib import Path

from matplotlib.figure import Figure

from mmseg_excel.inference.inferencer import TagInferencer
from mmseg_excel.inference.loading import named_model
from mmseg_excel.inference.subject import Subject, subjects_of_dataset, subjects_of_files
from mmseg_excel.utils.arguments import (
    Parser,
    device,
    named_folder,
    number,
    output_folder,
    whole_number,
)
from mmseg_excel.utils.cli import bad_input_exits
from mmseg_excel.visualization.attention import attention_figure
from mmseg_excel.visualization.attribute_responses import attributes_figure
from mmseg_excel.visualization.cam import cam_figure
from mmseg_excel.visualization.convergence import convergence_figure
from mmseg_excel.visualization.figure import save_figure
from mmseg_excel.visualization.segmentation import segmentation_figure

KINDS = {
    'cam': ('maps as the parts of the method are added (Fig. 3)', cam_figure),
    'segmentation': ('pseudo labels and predictions (Figs. 4, 5)', segmentation_figure),
    'attributes': ('responses of single attributes, and kinds of text (Fig. 6)', attributes_figure),
    'attention': ('attention from a point, by calibration (Figs. 1, 7, 8)', attention_figure),
}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest='kind', required=True)
    for name, (text, _) in KINDS.items():
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


def draw(args: argparse.Namespace) -> Figure:
    if args.kind == 'convergence':
        return convergence_figure(args.work_dirs, args.metric)
    subjects = load_subjects(args.config, args.checkpoint, args)
    options = {}
    if args.kind in ('cam', 'segmentation'):
        beside = (named_model(name) for name in args.beside)
        options['beside'] = [load_subjects(*model, args) for model in beside]
    if args.kind == 'segmentation':
        options['compare'] = dict(args.compare)
    if args.kind == 'attributes':
        options['count'] = args.count
    if args.kind == 'attention' and args.point:
        options['points'] = [tuple(args.point)] * len(subjects)
    return KINDS[args.kind][1](subjects, **options)


def load_subjects(config: str, checkpoint: str | None, args: argparse.Namespace) -> list[Subject]:
    inferencer = TagInferencer(config, checkpoint, args.device)
    if not args.images:
        return subjects_of_dataset(inferencer, args.samples)
    if not args.tags:
        raise ValueError('--images need --tags: what they show, for example --tags cat,sofa.')
    tags = [[name.strip() for name in names.split(',')] for names in args.tags]
    return subjects_of_files(inferencer, args.images, tags)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with bad_input_exits():
        files = save_figure(draw(args), Path(args.out) / args.kind)
        print(*files, sep='\n')


if __name__ == '__main__':
    main()
