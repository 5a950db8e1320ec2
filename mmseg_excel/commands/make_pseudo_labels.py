"""Write the pseudo labels of a whole split as palette PNGs, for any segmentor to train on."""

from __future__ import annotations

import argparse

from mmengine.config import Config
from mmengine.device import get_device
from mmseg.registry import DATASETS, MODELS
from mmseg.utils import register_all_modules

from ..densecrf import DenseCRF
from ..export.pseudo_labels import export_pseudo_labels
from ..inference.loading import build_model, load_weights
from ..models.tag_segmentor import TagSegmentor
from ..utils.cli import bad_input_exits
from ..utils.config_errors import setting_up
from ..utils.config_parts import check_parts
from ..utils.distributed import join_processes
from ..utils.runner_config import read_config


def split_without_masks(cfg: Config, split: str) -> Config:
    """The data set of a split, prepared as for testing; its masks are not even known."""
    dataset = cfg[f'{split}_dataloader'].dataset
    dataset.data_prefix.pop('seg_map_path', None)
    dataset.update(pipeline=cfg.test_pipeline, test_mode=True)
    return dataset


def label_crf(cfg: Config) -> DenseCRF:
    """The CRF that the method's recipe sharpens labels with."""
    return MODELS.build(cfg.get('label_crf', dict(type='DenseCRF')))


def run(args: argparse.Namespace) -> int:
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
