"""What this project does on the GPU of this machine, in one command and at most eight minutes.

    python -m benchmarks.gpu_report --out DIR
    python -m benchmarks.gpu_report --out DIR --device cpu --quick    # whether the report works

Each part runs in a process of its own under its own time limit; one that breaks off is said to
have, beside the rows it had measured. Writes report.json and report.md, whose tables go into
docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.gpu_parts import PARTS, Setting
from benchmarks.gpu_setting import Row
from mmseg_excel.utils.atomic import write_atomically

# Seconds, 480 in all.
LIMITS = dict(
    machine=15,
    tests=70,
    golden=20,
    stages=90,
    loading=30,
    training=75,
    inference=45,
    densecrf=35,
    profile=20,
    repeats=80,
)


def main(words: list[str] | None = None) -> int:
    args = parse_arguments(words)
    args.out.mkdir(parents=True, exist_ok=True)
    if args.part:
        rows: list[Row] = []
        for row in PARTS[args.part](Setting(args.device, args.quick)):
            rows.append(row)
            write_atomically(rows_file(args.out, args.part), json.dumps(rows).encode())
        return 0
    report: dict[str, dict] = {}
    for name in args.parts:
        report[name] = run_part(name, args)
        write(report, args.out)  # each time: a machine may be taken back before the last part
    print(markdown(report))
    return 0


def rows_file(folder: Path, part: str) -> Path:
    return folder / f'{part}.json'


def write(report: dict[str, dict], folder: Path) -> None:
    write_atomically(folder / 'report.json', json.dumps(report, indent=2).encode() + b'\n')
    write_atomically(folder / 'report.md', markdown(report).encode())


def parse_arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, required=True, help='folder')
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--quick', action='store_true', help='tiny: figures mean nothing')
    parser.add_argument('--parts', nargs='+', choices=list(LIMITS), default=list(LIMITS))
    parser.add_argument('--part', choices=list(LIMITS), help=argparse.SUPPRESS)
    return parser.parse_args(words)


def run_part(name: str, args: argparse.Namespace) -> dict:
    """What a part found, why it broke off if it did, and how long it took."""
    command = [sys.executable, '-W', 'ignore', '-m', 'benchmarks.gpu_report', '--part', name]
    command += ['--out', str(args.out), '--device', args.device] + ['--quick'] * args.quick
    limit = None if args.quick else LIMITS[name]
    start = time.perf_counter()
    found = rows_file(args.out, name)
    found.unlink(missing_ok=True)
    problem = problem_of(command, limit)
    rows = json.loads(found.read_text()) if found.exists() else []
    print(f'{name}: {problem or "done"}', file=sys.stderr, flush=True)
    return dict(rows=rows, problem=problem, seconds=round(time.perf_counter() - start, 1))


def problem_of(command: list[str], limit: int | None) -> str | None:
    """Why a command failed; None if it did not. What it has started ends with it."""
    pipes = dict(stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with subprocess.Popen(command, start_new_session=True, **pipes) as process:
        try:
            _, errors = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return f'not done after {limit} s'
    return errors[-2000:] if process.returncode else None


def markdown(report: dict[str, dict]) -> str:
    """One table a part; its columns are the keys of its rows."""
    lines = ['# On a GPU', '']
    for name, part in report.items():
        lines += [f'## {name}', '', f'{part["seconds"]} s', '']
        if part['problem']:
            lines += ['Broke off:', '', '```', part['problem'].strip(), '```', '']
        if part['rows']:
            columns = list(dict.fromkeys(key for row in part['rows'] for key in row))
            lines += [_row(columns), _row(['---'] * len(columns))]
            lines += [_row(_shown(row.get(key, '')) for key in columns) for row in part['rows']]
            lines.append('')
    return '\n'.join(lines) + '\n'


def _row(cells) -> str:
    return '| ' + ' | '.join(cells) + ' |'


def _shown(value: object) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)


if __name__ == '__main__':
    sys.exit(main())
