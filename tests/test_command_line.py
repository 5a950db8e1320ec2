"""Commands: the same from a checkout and from the wheel, and quick to say what they are told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mmseg_excel.command_line import main

ROOT = Path(__file__).parents[1]
COMMANDS = sorted(
    path.stem for path in (ROOT / 'mmseg_excel/commands').glob('*.py') if path.stem != '__init__'
)
# What takes long to import.
HEAVY = ('cv2', 'matplotlib', 'mmcv', 'mmengine', 'mmseg', 'numpy', 'open_clip', 'torch', 'rich')
HELP_OF_ALL = f"""
import contextlib, io, runpy, sys
from pathlib import Path
for name in {COMMANDS}:
    sys.argv = [f'{{name}}.py', '--help']
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as said:
        runpy.run_path(f'tools/{{name}}.py', run_name='__main__')
    assert said.getvalue().startswith(f'usage: {{name}}.py '), name
    heavy = [module for module in {HEAVY} if module in sys.modules]
    assert not heavy, (name, heavy)
"""


def test_help_imports_nothing_heavy():
    done = subprocess.run(
        [sys.executable, '-c', HELP_OF_ALL], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_each_command_has_its_arguments_and_its_tool():
    for folder in ('mmseg_excel/commands/arguments', 'tools'):
        there = {path.stem for path in (ROOT / folder).glob('*.py')} - {'__init__'}
        assert sorted(there) == COMMANDS


def test_one_command_lists_all(capsys):
    with pytest.raises(SystemExit) as stop:
        main(['--help'])
    listed = capsys.readouterr().out
    assert stop.value.code == 0
    assert all(f'  {name.replace("_", "-")} ' in listed for name in COMMANDS)


def test_a_command_is_given_what_follows_its_name(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['mmseg-excel'])
    with pytest.raises(SystemExit) as stop:
        main(['prepare-voc', '--workers', '0'])
    assert stop.value.code == 2
    assert capsys.readouterr().err.endswith('(see mmseg-excel prepare-voc --help)\n')


@pytest.mark.parametrize('arguments', [[], ['prepare'], ['--fast', 'train']])
def test_what_is_no_command_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith('error: ')
