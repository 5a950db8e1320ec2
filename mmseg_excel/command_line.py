"""The command line: ``mmseg-excel COMMAND ...``, and each command alone."""

from __future__ import annotations

import argparse
import pkgutil
import sys
from collections.abc import Sequence
from importlib import import_module

from .commands import arguments
from .utils.arguments import Parser
from .utils.cli import bad_input_exits
from .utils.import_noise import without_import_noise
from .version import __version__

PROGRAM = 'mmseg-excel'


def run(name: str, argv: Sequence[str] | None = None) -> int | None:
    """Run a command; what it is told is parsed before what it needs is imported.

    Args:
        name: Its module in :mod:`mmseg_excel.commands`, such as ``'prepare_voc'``.
        argv: What follows the name (default: that of this process).

    Returns:
        The exit code; None is success.
    """
    args = import_module(f'{arguments.__name__}.{name}').parse_args(argv)
    with bad_input_exits(), without_import_noise():
        command = import_module(f'mmseg_excel.commands.{name}')
    return command.run(args)


def main(argv: Sequence[str] | None = None) -> int | None:
    """Run the command that the first argument names."""
    commands = {name.replace('_', '-'): name for name in _names()}
    parser = Parser(
        PROGRAM,
        description='Weakly supervised semantic segmentation from image tags.',
        epilog=f'commands:\n{_summaries(commands)}\n\n{PROGRAM} COMMAND --help tells more.',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=__version__)
    parser.add_argument('command', choices=commands, metavar='COMMAND', help='what to do')
    parser.add_argument('arguments', nargs=argparse.REMAINDER, metavar='...', help="the command's")
    args = parser.parse_args(argv)
    sys.argv[0] = f'{PROGRAM} {args.command}'  # what the command's parser calls itself
    return run(commands[args.command], args.arguments)


def _names() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(arguments.__path__)]


def _summaries(commands: dict[str, str]) -> str:
    """A line for each command: the first of its description."""
    width = max(map(len, commands))
    lines = []
    for command, name in commands.items():
        description = import_module(f'{arguments.__name__}.{name}').__doc__ or ''
        summary, *_ = description.splitlines()
        lines.append(f'  {command:{width}}  {summary}')
    return '\n'.join(lines)
