"""What the command lines share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config, DictAction

from .utils.bad_input import BadInput


@contextmanager
def bad_input_exits() -> Iterator[None]:
    """Turn the errors of bad input into one sentence on stderr and exit code 2.

    Wrap reading and set-up; long work goes into :func:`bad_input_exits_while_working`, where what
    fails otherwise is a defect and keeps its traceback.
    """
    with _exits_at(ValueError, OSError, ImportError, KeyError):
        yield


@contextmanager
def bad_input_exits_while_working() -> Iterator[None]:
    """The same for long work: bad pictures, full disks and folders that cannot be written."""
    with _exits_at(BadInput, OSError):
        yield


@contextmanager
def _exits_at(*errors: type[Exception]) -> Iterator[None]:
    try:
        yield
    except errors as error:
        sentence = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f'error: {sentence}', file=sys.stderr)
        sys.exit(2)


def add_runner_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments MMSegmentation's train and test tools have in common."""
    parser.add_argument('--work-dir', help='where logs, checkpoints and results go')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings of the config, for example model.neck.num_layers=3',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def read_config(args: argparse.Namespace) -> Config:
    """Read the config with the overrides of :func:`add_runner_arguments`."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    cfg.launcher = args.launcher
    cfg.work_dir = (
        args.work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(args.config).stem)
    )
    return cfg


def augment_at_test_time(cfg: Config) -> None:
    """Switch a config's test to multi-scale and flip views, and DenseCRF."""
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    cfg.model = dict(cfg.tta_model, module=cfg.model)
