"""The report on a GPU goes on where a part breaks, and says so."""

from __future__ import annotations

import json
import sys
import time

import pytest

from benchmarks.gpu_parts import PARTS
from benchmarks.gpu_report import LIMITS, main, markdown, problem_of

pytestmark = pytest.mark.slow


def test_a_part_runs_without_a_gpu_and_one_that_breaks_is_left_out(tmp_path):
    found = {}
    for device in ('cpu', 'nonsense'):
        options = ['--device', device, '--quick', '--parts', 'machine']
        assert main(['--out', str(tmp_path), *options]) == 0
        found[device] = json.loads((tmp_path / 'report.json').read_text())['machine']
    assert found['cpu']['problem'] is None and found['cpu']['rows']
    assert 'nonsense' in found['nonsense']['problem'] and not found['nonsense']['rows']
    assert 'Broke off' in (tmp_path / 'report.md').read_text()


def test_all_parts_fit_in_eight_minutes():
    assert PARTS.keys() == LIMITS.keys()
    assert sum(LIMITS.values()) <= 480


def test_what_takes_too_long_is_stopped_with_all_that_it_started(tmp_path):
    started = f'import time; time.sleep(3); open({str(tmp_path / "late")!r}, "w")'
    waits = f'import subprocess, sys; subprocess.run([sys.executable, "-c", {started!r}])'
    assert problem_of([sys.executable, '-c', waits], limit=1) == 'not done after 1 s'
    time.sleep(4)
    assert not (tmp_path / 'late').exists()


def test_rows_with_different_columns_are_one_table():
    rows = [dict(a=1, b=0.123456), dict(a=2, c='x')]
    table = markdown(dict(part=dict(rows=rows, problem=None, seconds=1.0)))
    assert '| a | b | c |' in table and '| 1 | 0.1235 |  |' in table and '| 2 |  | x |' in table
