"""Fill tables of the paper: run what is missing, resume what was killed, print what is there."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from mmengine.config import Config
from mmseg.registry import DATASETS, MODELS
from mmseg.utils import register_all_modules

from ..ablation import Report, ResultsFile, Run, Table, load_table, runs_of, sweep
from ..ablation.job import training_split
from ..ablation.sweep import check_devices, default_devices
from ..utils.atomic import write_atomically
from ..utils.cli import bad_input_exits, bad_input_exits_while_working
from ..utils.config_errors import setting_up
from ..utils.config_file import config_path, read_settings
from ..utils.config_parts import check_parts


def read_base(args: argparse.Namespace) -> Config:
    cfg = read_settings(args.base, args.cfg_options)
    loaders = (f'{split}_dataloader.dataset.ann_file' for split in ('train', 'val'))
    check_parts(cfg, 'model.backbone', 'model.text_head', 'train_cfg', 'optim_wrapper', *loaders)
    return cfg


def load_tables(args: argparse.Namespace) -> list[Table]:
    tables = [load_table(path) for path in args.tables]
    if args.training_free:
        tables = [table for table in (table.only('static') for table in tables) if table]
    return tables


def check_data(cfg: Config) -> None:
    """Find out now, not in every run, that the data is not there."""
    with setting_up(cfg):
        for loader in (cfg.train_dataloader, cfg.val_dataloader, training_split(cfg)):
            DATASETS.build(loader['dataset'])


def check_texts(runs: Iterable[Run]) -> None:
    """Find out now what descriptions lack; what else cannot run fails in its run, alone."""
    for run in runs:
        with setting_up(cfg := run.config()):
            MODELS.build(cfg.model.text_head).check_texts()


def write_reports(reports: list[Report], folder: Path) -> None:
    for name, texts in dict(
        md=[report.markdown() for report in reports], tex=[report.latex() for report in reports]
    ).items():
        write_atomically(folder / f'tables.{name}', '\n'.join(texts).encode())


def run(args: argparse.Namespace) -> int:
    failed, devices = [], args.devices or default_devices()
    with bad_input_exits():
        register_all_modules(init_default_scope=True)
        args.base = str(config_path(args.base))
        base = read_base(args)
        tables = load_tables(args)
        runs = runs_of(tables, args.base, args.cfg_options, args.seeds)
        results = ResultsFile(args.work_dir / 'results.json')
        if not args.dry_run:
            check_devices(devices)
            check_data(base)
            check_texts(runs.values())
    with bad_input_exits_while_working():
        if args.dry_run:
            print(*(key for key in runs if key not in results), sep='\n')
        else:
            failed = sweep(runs, results, args.work_dir / 'runs', devices)
        common = (results, args.base, args.cfg_options, args.seeds)
        reports = [Report(table, *common) for table in tables]
        write_reports(reports, args.work_dir)
        for report in reports:
            print(report.markdown(), report.latex(), sep='\n')
    return 1 if failed else 0
