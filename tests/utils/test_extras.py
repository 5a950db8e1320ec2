"""What an extra brings is asked for in one sentence where it is missing."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from mmseg_excel.utils.extras import EXTRAS, extra

from ..datasets.tools import run_tool

SETUP = Path(__file__).parents[2] / 'setup.py'
COMMANDS = {
    'app': ('gradio', ['app']),
    'coco': ('pycocotools', ['prepare_coco', 'data/coco']),
    'descriptions': (
        'openai',
        ['generate_descriptions', '--dataset', 'toy', '--model', 'm', '--dry-run'],
    ),
}


@pytest.mark.parametrize('name', COMMANDS)
def test_commands_name_the_extra_they_lack(name, monkeypatch, capsys):
    package, command = COMMANDS[name]
    for module in list(sys.modules):
        if module.startswith(('mmseg_excel.app', 'mmseg_excel.commands', 'mmseg_excel.text.ch')):
            monkeypatch.delitem(sys.modules, module)
        if module.startswith(('mmseg_excel.text.gen', 'mmseg_excel.datasets.prepare')):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    assert run_tool(*command) == 2
    sentence = f'error: {package} is not installed: install it, or mmseg_excel with its extra'
    assert capsys.readouterr().err == f"{sentence} '{name}'.\n"


def test_another_missing_module_is_a_defect():
    with pytest.raises(ModuleNotFoundError), extra('coco'):
        import no_such_module_of_ours  # noqa: F401


def test_setup_offers_these_extras():
    assigned = next(
        node.value
        for node in ast.parse(SETUP.read_text(encoding='utf-8')).body
        if isinstance(node, ast.Assign) and node.targets[0].id == 'OPTIONAL'
    )
    offered = {
        name: tuple(requirement.partition('>')[0] for requirement in requirements)
        for name, requirements in ast.literal_eval(assigned).items()
    }
    assert offered == EXTRAS
