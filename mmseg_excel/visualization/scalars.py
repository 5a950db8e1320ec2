"""Scalars that training wrote into a work dir."""

from __future__ import annotations

import json
import math
from pathlib import Path

from ..utils.bad_input import BadInput
from ..utils.checks import shown
from ..utils.text_file import read_text

Curve = dict[int, float]
LAST_STEP, MOST = 10**12, 1e30


def read_scalars(work_dir: str | Path) -> dict[str, Curve]:
    """Read ``<time stamp>/vis_data/*.json`` of all runs of a work dir, resumed ones included.

    Args:
        work_dir: Folder that ``tools/train.py`` wrote.

    Returns:
        Name -> {iteration: value}, iterations ascending; where runs overlap the later one counts.

    Raises:
        FileNotFoundError: If the work dir holds no scalars.
        BadInput: If a file holds something else.
    """
    files = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not files:
        raise FileNotFoundError(
            f"'{work_dir}' holds no */vis_data/scalars.json: give a folder that tools/train.py "
            'wrote.'
        )
    curves: dict[str, Curve] = {}
    for file in files:
        for record in _records(file):
            step = record.get('step')
            for name, value in record.items():
                if step is not None and isinstance(value, int | float):
                    curves.setdefault(name, {})[step] = float(value)
    return {name: dict(sorted(curve.items())) for name, curve in curves.items()}


def _records(file: Path) -> list[dict]:
    """One a line; a run that was killed may have left half of the last one."""
    records = []
    lines = read_text(file, 'file of scalars').splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = {} if number == len(lines) else None
        if not isinstance(record, dict) or not _is_drawable(record):
            raise BadInput(
                f"'{file}', line {number} is {shown(line, 40)}, not a record of scalars: remove "
                'the file, or the line.'
            )
        records.append(record)
    return records


def _is_drawable(record: dict) -> bool:
    """Whether the step is one, and numbers are no larger than a curve shows; NaN is a gap."""
    step = record.get('step', 0)
    numbers = [value for value in record.values() if isinstance(value, int | float)]
    far = any(MOST < abs(number) < math.inf for number in numbers)
    return type(step) is int and 0 <= step <= LAST_STEP and not far
