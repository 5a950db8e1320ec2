"""Train a segmentor: `python tools/train.py configs/excel_voc.py`."""

from __future__ import annotations

import argparse

from mmengine.config import Config
from mmengine.runner import Runner

from ..engine.claim import claim_run
from ..engine.work_dir import gone_if_refused
from ..models.tag_segmentor import TagSegmentor
from ..utils.atomic import naming_place
from ..utils.cli import bad_input_exits, bad_input_exits_while_working
from ..utils.config_errors import setting_up
from ..utils.config_parts import check_parts
from ..utils.determinism import set_randomness
from ..utils.distributed import join_processes, unwrapped
from ..utils.runner_config import read_config

NEEDED = ('model', 'train_dataloader.dataset', 'train_cfg', 'optim_wrapper.optimizer')


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


def run(args: argparse.Namespace) -> None:
    with bad_input_exits():
        cfg = read_config(args)
        check_parts(cfg, *NEEDED)
        cfg.resume = args.resume or cfg.get('resume', False)
        set_randomness(cfg, args.seed, args.deterministic)
        if args.amp:
            cfg.optim_wrapper.type = 'AmpOptimWrapper'
            cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
        join_processes(cfg)
        # The hook does the same, but when the work dir has been written to already.
        claim = claim_run(cfg, cfg.work_dir, cfg.resume, cfg.get('load_from'))
        with gone_if_refused(cfg.work_dir, claim.new):
            runner = build_runner(cfg)
    with bad_input_exits_while_working(), naming_place(cfg.work_dir):
        runner.train()
    del claim
