"""Reproduce a published experiment: prepare, train, test, tables and a fairness card."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from ..reproduction.plan import Plan
from ..reproduction.run import reproduce
from ..utils.cli import bad_input_exits


def run(args: argparse.Namespace) -> None:
    with bad_input_exits():
        plan = Plan(
            benchmark=args.benchmark,
            data=args.data,
            work_dir=Path(args.work_dir),
            method=args.method,
            clip=args.clip,
            seeds=args.seeds,
            sbd=args.sbd,
            any_size=args.any_size,
            options=args.cfg_options,
        )
        # Said at once, whoever reads it: between two lines hours may pass.
        reproduce(plan, report=partial(print, flush=True))
        print(f'{plan.work_dir / "card.md"}')
