"""Write the pseudo labels of a whole split as palette PNGs, for any segmentor to train on."""

from __future__ import annotations

import argparse
import sys

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import init_dist
from mmseg.registry import DATASETS, MODELS
from mmseg.utils import register_all_modules

from mmseg_excel.densecrf import DenseCRF
from mmseg_excel.export.pseudo_labels import export_pseudo_labels
from mmseg_excel.inference.loading import build_model, load_weights
from mmseg_excel.models.tag_segmentor import TagSegmentor
from mmseg_excel.utils.arguments import Parser, number, output_folder, whole_number
from mmseg_excel.utils.cli import add_runner_arguments, bad_input_exits, read_config
from mmseg_excel.utils.config_errors import setting_up
from mmseg_excel.utils.config_parts import check_parts


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='its adapter calibrates maps and affinity; without one, labels are training-free',
    )
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train')
    parser.add_argument('--out', type=output_folder, required=True, help='folder for the labels')
    parser.add_argument('--crf', action='store_true', help='sharpen the labels with DenseCRF')
    parser.add_argument(
        '--ignore-band',
        type=number('[0, 1]'),
        default=0.0,
        help='label pixels 255 whose best two scores differ by less, 0..1 (default: 0, none)',
    )
    parser.add_argument(
        '--confidence',
        type=output_folder,
        metavar='DIR',
        help='folder for the lead of the best score, as grey PNGs',
    )
    parser.add_argument('--batch-size', type=whole_number('[1, 4096]'), default=4)
    add_runner_arguments(parser)
    return parser.parse_args(argv)


def split_without_masks(cfg: Config, split: str) -> Config:
    """The data set of a split, prepared as for testing; its masks are not even known."""
    dataset = cfg[f'{split}_dataloader'].dataset
    dataset.data_prefix.pop('seg_map_path', None)
    dataset.update(pipeline=cfg.test_pipeline, test_mode=True)
    return dataset


def join_processes(cfg: Config) -> None:
    """Connect the processes of a launcher; MMEngine knows only those with a GPU each."""
    if cfg.launcher == 'pytorch' and not torch.cuda.is_available():
        torch.distributed.init_process_group('gloo')
    elif cfg.launcher != 'none':
        init_dist(cfg.launcher, **cfg.env_cfg.dist_cfg)


def label_crf(cfg: Config) -> DenseCRF:
    """The CRF that the method's recipe sharpens labels with."""
    return MODELS.build(cfg.get('label_crf', dict(type='DenseCRF')))


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    with bad_input_exits():
        cfg = read_config(args)
        register_all_modules(init_default_scope=True)
        check_parts(cfg, 'test_pipeline', f'{args.split}_dataloader.dataset.data_prefix')
        with setting_up(cfg):
            join_processes(cfg)
            dataset = DATASETS.build(split_without_masks(cfg, args.split))
        model = build_model(cfg, TagSegmentor)
        if args.checkpoint is not None:
            load_weights(model, args.checkpoint)
        else:
            model.encode_classes()
        written = export_pseudo_labels(
            model.to(get_device()).eval(),
            dataset,
            args.out,
            dynamic=args.checkpoint is not None,
            crf=label_crf(cfg) if args.crf else None,
            ignore_band=args.ignore_band,
            confidence_dir=args.confidence,
            batch_size=args.batch_size,
        )
        print(f'{args.out}: {written} new labels')
    return 0


if __name__ == '__main__':
    sys.exit(main())
