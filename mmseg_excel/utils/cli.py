"""What the command lines share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config

from .arguments import add_config_options, output_folder, whole_number
from .bad_input import BadInput
from .checks import shown
from .config_file import read_settings
from .config_parts import check_parts

INTERRUPTED = 130
# What MMEngine reads of the environment of a process that a launcher started.
_LAUNCHED_WITH = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_NODELIST'),
    'mpi': ('OMPI_COMM_WORLD_LOCAL_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_RANK'),
}
_ADDRESSES = ('MASTER_ADDR', 'SLURM_NODELIST')


@contextmanager
def bad_input_exits() -> Iterator[None]:
    """Turn the errors of bad input into one sentence on stderr and exit code 2.

    Wrap reading and set-up; long work goes into :func:`bad_input_exits_while_working`, where what
    fails otherwise is a defect and keeps its traceback. Both end quietly, with code 130, when they
    are interrupted.
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
        sys.stdout.flush()
    except BrokenPipeError:
        print('error: whoever read the output ended before all was written.', file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or exiting writes again
        sys.exit(1)
    except KeyboardInterrupt:
        print('Interrupted.', file=sys.stderr)
        sys.exit(INTERRUPTED)
    except errors as error:
        print(f'error: {_sentence(error)}', file=sys.stderr)
        sys.exit(2)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"'{error.filename}': {error.strerror.lower()} (errno {error.errno})."
    return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)


def add_runner_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments MMSegmentation's train and test tools have in common."""
    parser.add_argument(
        '--work-dir', type=output_folder, help='where logs, checkpoints and results go'
    )
    add_config_options(parser)
    parser.add_argument(
        '--launcher',
        choices=['none', *_LAUNCHED_WITH],
        default='none',
        help='job launcher',
    )
    parser.add_argument('--local_rank', '--local-rank', type=whole_number('[0, 4095]'), default=0)


def read_config(args: argparse.Namespace) -> Config:
    """Read the config with the overrides of :func:`add_runner_arguments`.

    Raises:
        FileNotFoundError: There is no such config.
        BadInput: It cannot be read, or the launcher's environment is missing.
    """
    _check_launcher(args.launcher)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = read_settings(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    cfg.work_dir = (
        args.work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(args.config).stem)
    )
    return cfg


def _check_launcher(launcher: str) -> None:
    for name in _LAUNCHED_WITH.get(launcher, ()):
        value = os.environ.get(name)
        if value is None or not (value.isdigit() or name in _ADDRESSES):
            raise BadInput(
                f'--launcher {launcher} reads {name} in the environment, which is {shown(value)}: '
                'start the tool with the launcher (torchrun, srun or mpirun), or leave --launcher '
                'out.'
            )
    if launcher == 'pytorch' and int(os.environ['RANK']) >= int(os.environ['WORLD_SIZE']):
        raise BadInput(
            f'RANK is {os.environ["RANK"]} in the environment, but must be below WORLD_SIZE, which '
            f'is {os.environ["WORLD_SIZE"]}.'
        )


def augment_at_test_time(cfg: Config) -> None:
    """Switch a config's test to multi-scale and flip views, and DenseCRF.

    Raises:
        BadInput: The config does not say how.
    """
    check_parts(cfg, 'tta_model', 'tta_pipeline', 'test_dataloader.dataset')
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    cfg.model = dict(cfg.tta_model, module=cfg.model)
