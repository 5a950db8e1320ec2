"""Train a segmentor: `python tools/train.py configs/excel_voc.py`."""

from __future__ import annotations

import argparse

from mmengine.config import Config
from mmengine.runner import Runner

from mmseg_excel.engine.claim import claim_run
from mmseg_excel.engine.work_dir import gone_if_refused
from mmseg_excel.models.tag_segmentor import TagSegmentor
from mmseg_excel.utils.arguments import Parser, seed
from mmseg_excel.utils.atomic import naming_place
from mmseg_excel.utils.cli import (
    add_runner_arguments,
    bad_input_exits,
    bad_input_exits_while_working,
    read_config,
)
from mmseg_excel.utils.config_errors import setting_up
from mmseg_excel.utils.config_parts import check_parts
from mmseg_excel.utils.determinism import set_randomness
from mmseg_excel.utils.distributed import unwrapped

NEEDED = ('model', 'train_dataloader.dataset', 'train_cfg', 'optim_wrapper.optimizer')


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(description='Train a segmentor')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        action='store_true',
        help='go on from the newest intact checkpoint in the work dir',
    )
    parser.add_argument('--amp', action='store_true', help='train with automatic mixed precision')
    parser.add_argument('--seed', type=seed, help="of everything random (default: the config's)")
    parser.add_argument(
        '--deterministic',
        action='store_true',
        help='algorithms that give the same bits every time on the same machine',
    )
    add_runner_arguments(parser)
    return parser.parse_args(argv)


def build_runner(cfg: Config) -> Runner:
    """Build all that a training needs, so that it fails now or not at all."""
    with setting_up(cfg):
        runner = Runner.from_cfg(cfg)
        # Building the loops reads and checks the data.
        _ = runner.train_loop, runner.val_loop
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        if cfg.get('param_scheduler') and not cfg.get('auto_scale_lr'):  # which comes before
            runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
        if isinstance(model := unwrapped(runner.model), TagSegmentor):
            model.text_head.check_texts()
    return runner


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with bad_input_exits():
        cfg = read_config(args)
        check_parts(cfg, *NEEDED)
        cfg.resume = args.resume or cfg.get('resume', False)
        set_randomness(cfg, args.seed, args.deterministic)
        if args.amp:
            cfg.optim_wrapper.type = 'AmpOptimWrapper'
            cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
        # The hook does the same, but when the work dir has been written to already.
        claim = claim_run(cfg, cfg.work_dir, cfg.resume, cfg.get('load_from'))
        with gone_if_refused(cfg.work_dir, claim.new):
            runner = build_runner(cfg)
    with bad_input_exits_while_working(), naming_place(cfg.work_dir):
        runner.train()
    del claim


if __name__ == '__main__':
    main()
