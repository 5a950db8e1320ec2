"""Test a segmentor: `python tools/test.py CONFIG CHECKPOINT [--tta]`."""

from __future__ import annotations

import argparse
import os

from mmengine.config import Config
from mmengine.runner import Runner

from ..engine.run_guard_hook import check_weights
from ..engine.work_dir import gone_if_refused
from ..utils.bad_input import BadInput
from ..utils.checkpoints import read_tensors
from ..utils.cli import bad_input_exits, bad_input_exits_while_working
from ..utils.config_errors import setting_up
from ..utils.config_parts import check_parts
from ..utils.distributed import join_processes, unwrapped
from ..utils.runner_config import augment_at_test_time, read_config


def paint_predictions(cfg: Config, args: argparse.Namespace) -> None:
    check_parts(cfg, 'default_hooks.visualization', 'visualizer')
    cfg.default_hooks.visualization.update(draw=True, show=args.show, wait_time=args.wait_time)
    if args.show_dir:
        cfg.visualizer.save_dir = args.show_dir


def check_untrained(cfg: Config) -> None:
    """Refuse to test a decoder of random weights."""
    if (cfg.model.get('test_cfg') or {}).get('source') != 'cam':
        raise BadInput(
            'Without a checkpoint only training-free pseudo labels can be tested: give a '
            'checkpoint, or set --cfg-options model.test_cfg.source=cam.'
        )


def apply_arguments(cfg: Config, args: argparse.Namespace) -> None:
    if args.show or args.show_dir:
        paint_predictions(cfg, args)
    if args.format_only:
        check_parts(cfg, 'format_only_dataloader.dataset', 'format_only_evaluator')
        cfg.test_dataloader = cfg.format_only_dataloader
        cfg.test_evaluator = cfg.format_only_evaluator
    if args.tta:
        augment_at_test_time(cfg)
    if args.out:
        cfg.test_evaluator.update(output_dir=args.out, keep_results=True)


def build_runner(cfg: Config) -> Runner:
    runner = Runner.from_cfg(cfg)
    if cfg.load_from is None:
        unwrapped(runner.model).encode_classes()
    _ = runner.test_loop  # reads and checks the data
    return runner


def run(args: argparse.Namespace) -> None:
    with bad_input_exits():
        cfg = read_config(args)
        cfg.load_from, cfg.resume = args.checkpoint, False
        check_parts(cfg, 'model', 'test_dataloader.dataset', 'test_evaluator', 'test_cfg')
        if args.checkpoint is None:
            check_untrained(cfg)
        join_processes(cfg)
        new = not os.path.exists(cfg.work_dir)
        with gone_if_refused(cfg.work_dir, new), setting_up(cfg):
            apply_arguments(cfg, args)
            if args.checkpoint is not None:
                read_tensors(args.checkpoint)  # before anything is written
            runner = build_runner(cfg)
            check_weights(runner)
    with bad_input_exits_while_working():
        runner.test()
