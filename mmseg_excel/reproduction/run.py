"""Carrying a plan out: each command in a process of its own, done ones skipped."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..clip.towers import weight_file
from ..utils.atomic import write_atomically
from ..utils.bad_input import BadInput
from .card import fairness_card, markdown
from .plan import Plan, Step, check_config

Report = Callable[[str], None]
SECONDS = 'seconds.json'


def reproduce(plan: Plan, report: Report = print) -> dict:
    """Prepare, train, test and report, going on where an interrupted reproduction stopped.

    Data and weights are looked for first. Below the plan's work dir are trainings, tests, scores,
    and at the end ``card.json`` and ``card.md``, the fairness card.

    Args:
        plan: What to reproduce.
        report: Is told what happens.

    Returns:
        The fairness card.

    Raises:
        FileNotFoundError, BadInput: Data, weights or settings cannot be used, or a command failed.
    """
    plan.check_data()
    backbone = check_config(plan).model.backbone
    weight_file(backbone.model, backbone.pretrained)
    steps = list(plan.steps())
    report('\n'.join(_overview(plan, steps)))
    seconds = Seconds(plan.work_dir / SECONDS)
    for step in steps:
        if step.done:
            report(f'{step.name}: done already')
            continue
        start = time.monotonic()
        try:
            _run(step, report)
        finally:
            seconds.add(step.name, time.monotonic() - start)
    card = fairness_card(plan, seconds.of)
    write_atomically(plan.work_dir / 'card.json', (json.dumps(card, indent=2) + '\n').encode())
    write_atomically(plan.work_dir / 'card.md', markdown(card).encode())
    return card


class Seconds:
    """How long each step took, over all interruptions."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.of: dict[str, float] = json.loads(path.read_text()) if path.is_file() else {}

    def add(self, name: str, seconds: float) -> None:
        """Add to a step's time, and write it down."""
        self.of[name] = round(self.of.get(name, 0) + seconds, 1)
        write_atomically(self._path, (json.dumps(self.of, indent=2) + '\n').encode())


def _overview(plan: Plan, steps: Sequence[Step]) -> list[str]:
    """What will be done, and what takes long."""
    cfg = plan.config()
    lines = [f'{plan.method} on {plan.benchmark}: {plan.config_file.name}, {len(steps)} steps']
    for step in steps:
        size = f', {cfg.train_cfg.max_iters} iterations' if step.command[0] == 'train' else ''
        lines.append(f'  {"done   " if step.done else "to do  "}{step.name}{size}')
    lines.append('A training logs how long it will still take (eta); killed, all of it goes on.')
    return lines


def _run(step: Step, report: Report) -> None:
    report(f'{step.name}: {" ".join(step.arguments)}')
    code = subprocess.run([sys.executable, '-m', 'mmseg_excel', *step.arguments]).returncode
    if code or not step.done:
        raise BadInput(
            f'The step {step.name!r} ended with code {code}, and without {step.result}: what it '
            'said is above. Mend it and start again; done steps are kept.'
        )
