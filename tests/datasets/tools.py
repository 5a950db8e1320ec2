"""Command lines run in this process: importing the package once is enough."""

from __future__ import annotations

import importlib.util
from pathlib import Path

TOOLS = Path(__file__).parents[2] / 'tools'


def run_tool(name: str, *args: object) -> int:
    """Exit code of ``python tools/NAME.py ARGS``."""
    spec = importlib.util.spec_from_file_location(name, TOOLS / f'{name}.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    try:
        return tool.main([str(arg) for arg in args])
    except SystemExit as stop:
        return stop.code
