"""Fill tables of the paper: run what is missing, resume what was killed, print what is there.

Examples:
  python tools/ablate.py configs/ablations/table_1c.py
  python tools/ablate.py configs/ablations/*.py --seeds 0 1 2 --devices cuda:0 cuda:1
  python tools/ablate.py configs/ablations/*.py --base configs/excel_toy.py --training-free
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from mmengine.config import Config
from mmseg.registry import DATASETS, MODELS
from mmseg.utils import register_all_modules

from mmseg_excel.ablation import Report, ResultsFile, Run, Table, load_table, runs_of, sweep
from mmseg_excel.ablation.job import training_split
from mmseg_excel.ablation.sweep import check_devices, default_devices
from mmseg_excel.utils.arguments import Parser, add_config_options, output_folder, seed
from mmseg_excel.utils.atomic import write_atomically
from mmseg_excel.utils.cli import bad_input_exits, bad_input_exits_while_working
from mmseg_excel.utils.config_errors import setting_up
from mmseg_excel.utils.config_file import read_settings
from mmseg_excel.utils.config_parts import check_parts

CONFIGS = Path(__file__).parents[1] / 'configs'


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('tables', nargs='+', help='tables of configs/ablations')
    parser.add_argument(
        '--base',
        default=str(CONFIGS / 'excel_voc.py'),
        help='config whose settings the tables change (default: configs/excel_voc.py)',
    )
    parser.add_argument(
        '--seeds',
        nargs='+',
        type=seed,
        default=[0],
        help='each training is repeated with each; several give a standard deviation (default: 0)',
    )
    parser.add_argument(
        '--devices',
        nargs='+',
        default=default_devices(),
        help='one run at a time on each; name one twice for two (default: all GPUs, or cpu)',
    )
    parser.add_argument(
        '--training-free', action='store_true', help='only the columns that need no training'
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='run nothing: list what is missing, print the rest'
    )
    parser.add_argument(
        '--work-dir',
        type=output_folder,
        help='folder of runs, results.json, tables.md and tables.tex '
        '(default: work_dirs/ablations/BASE)',
    )
    add_config_options(parser)
    args = parser.parse_args(argv)
    if len(set(args.seeds)) < len(args.seeds):
        parser.error(f'--seeds names one twice: {" ".join(map(str, args.seeds))}')
    args.work_dir = Path(args.work_dir or Path('work_dirs/ablations') / Path(args.base).stem)
    return args


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
            DATASETS.build(loader.dataset)


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


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    failed = []
    with bad_input_exits():
        register_all_modules(init_default_scope=True)
        base = read_base(args)
        tables = load_tables(args)
        runs = runs_of(tables, args.base, args.cfg_options, args.seeds)
        results = ResultsFile(args.work_dir / 'results.json')
        if not args.dry_run:
            check_devices(args.devices)
            check_data(base)
            check_texts(runs.values())
    with bad_input_exits_while_working():
        if args.dry_run:
            print(*(key for key in runs if key not in results), sep='\n')
        else:
            failed = sweep(runs, results, args.work_dir / 'runs', args.devices)
        common = (results, args.base, args.cfg_options, args.seeds)
        reports = [Report(table, *common) for table in tables]
        write_reports(reports, args.work_dir)
        for report in reports:
            print(report.markdown(), report.latex(), sep='\n')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
