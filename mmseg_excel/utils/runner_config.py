"""The config of a run: read, with what the command line says of it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from mmengine.config import Config

from .bad_input import BadInput
from .checks import shown
from .config_file import read_settings
from .config_parts import check_parts

# What MMEngine reads of the environment of a process that a launcher started.
_LAUNCHED_WITH = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_NODELIST'),
    'mpi': ('OMPI_COMM_WORLD_LOCAL_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_RANK'),
}
_ADDRESSES = ('MASTER_ADDR', 'SLURM_NODELIST')


def read_config(args: argparse.Namespace) -> Config:
    """Read the config with the overrides of :func:`.arguments.add_runner_arguments`.

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
