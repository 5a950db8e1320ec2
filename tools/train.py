"""Train a segmentor: `python tools/train.py configs/excel_voc.py`."""

from __future__ import annotations

import argparse

from mmengine.runner import Runner

from mmseg_excel.cli import (
    add_runner_arguments,
    bad_input_exits,
    bad_input_exits_while_working,
    read_config,
)
from mmseg_excel.determinism import set_randomness


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a segmentor')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume', action='store_true', help='resume from the latest checkpoint in the work dir'
    )
    parser.add_argument('--amp', action='store_true', help='train with automatic mixed precision')
    parser.add_argument('--seed', type=int, help="of everything random (default: the config's)")
    parser.add_argument(
        '--deterministic',
        action='store_true',
        help='algorithms that give the same bits every time on the same machine',
    )
    add_runner_arguments(parser)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with bad_input_exits():
        cfg = read_config(args)
        cfg.resume = args.resume
        set_randomness(cfg, args.seed, args.deterministic)
        if args.amp:
            cfg.optim_wrapper.type = 'AmpOptimWrapper'
            cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
        runner = Runner.from_cfg(cfg)
        # Building the loops reads and checks the data.
        _ = runner.train_loop, runner.val_loop
    with bad_input_exits_while_working():
        runner.train()


if __name__ == '__main__':
    main()
