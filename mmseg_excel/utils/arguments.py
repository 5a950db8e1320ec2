"""Arguments of command lines: what cannot be used is refused before anything runs."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from .bad_input import BadInput
from .checks import check_number, check_whole, shown

MOST_WORKERS = 1024
LAUNCHERS = ('pytorch', 'slurm', 'mpi')


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one sentence, like all others."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence and exit with code 2."""
        self.exit(2, f'error: {" ".join(message.split())} (see {self.prog} --help)\n')


class Settings(argparse.Action):
    """``NAME=VALUE`` pairs; of a name that stands twice, the last value counts."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add the pairs to the namespace's dict."""
        from mmengine.config import DictAction  # and with it PyTorch: only if there are any

        options = dict(getattr(namespace, self.dest) or {})
        for pair in values:
            name, equals, text = pair.partition('=')
            if not name or not equals or not text:
                raise argparse.ArgumentError(
                    self, f'{shown(pair)} is no NAME=VALUE, such as model.neck.num_layers=3'
                )
            try:
                options[name] = DictAction._parse_iterable(text)
            except (AssertionError, ValueError, RecursionError):
                raise argparse.ArgumentError(
                    self, f'{shown(text)} is no value for {name}: its brackets do not match'
                ) from None
        setattr(namespace, self.dest, options)


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``, whose dict is empty by default."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=Settings,
        default={},
        metavar='NAME=VALUE',
        help='override settings of the config, for example model.neck.num_layers=3',
    )


def add_runner_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments MMSegmentation's train and test tools have in common."""
    parser.add_argument(
        '--work-dir', type=output_folder, help='where logs, checkpoints and results go'
    )
    add_config_options(parser)
    parser.add_argument(
        '--launcher',
        choices=['none', *LAUNCHERS],
        default='none',
        help='job launcher',
    )
    parser.add_argument('--local_rank', '--local-rank', type=whole_number('[0, 4095]'), default=0)


def whole_number(interval: str) -> Callable[[str], int]:
    """Type of whole numbers of an interval, such as ``'[1, 4096]'``."""
    return lambda text: _parsed(text, int, check_whole, interval)


def number(interval: str) -> Callable[[str], float]:
    """Type of finite numbers of an interval, such as ``'(0, 1]'``."""
    return lambda text: _parsed(text, float, check_number, interval)


#: Type of numbers of processes.
workers = whole_number(f'[1, {MOST_WORKERS}]')
#: Type of what NumPy and PyTorch can both be seeded with.
seed = whole_number('[0, 4294967295]')


def device(text: str) -> str:
    """Type of devices that are there."""
    from .devices import check_device  # and with it PyTorch: only if one is named

    return _refused_as_argument(check_device, text)


def output_folder(text: str) -> str:
    """Type of folders to write into; they need not exist."""
    return _refused_as_argument(_check_folder, text)


def output_file(text: str) -> str:
    """Type of files to write; what exists is replaced, if it is a file."""
    return _refused_as_argument(_check_file, text)


def named_folder(text: str) -> tuple[str, Path]:
    """Type of ``NAME=FOLDER``."""
    name, _, folder = text.partition('=')
    if not name.strip() or not folder.strip():
        raise argparse.ArgumentTypeError(f'{shown(text)} is not NAME=FOLDER')
    return name, Path(folder)


def _parsed(text: str, parse: Callable, check: Callable, interval: str) -> Any:
    try:
        value = parse(text)
    except ValueError:
        value = text
    return _refused_as_argument(lambda it: check('it', it, interval), value)


def _refused_as_argument(check: Callable, value: Any) -> Any:
    try:
        check(value)
    except (BadInput, OSError) as error:
        raise argparse.ArgumentTypeError(str(error).rstrip('.')) from None
    return value


def _check_folder(text: str) -> None:
    _check_name(text)
    path = Path(text).absolute()
    above = next(folder for folder in (path, *path.parents) if os.path.lexists(folder))
    if not above.is_dir():
        raise BadInput(f"'{above}' is no folder, so nothing can be written there: name another")
    if not os.access(above, os.W_OK | os.X_OK):
        raise BadInput(f"'{above}' cannot be written to: name another folder")


def _check_file(text: str) -> None:
    _check_name(text)
    path = Path(text)
    if os.path.lexists(path) and not path.is_file():
        raise BadInput(f"'{path}' is there and is no regular file: name another")
    _check_folder(str(path.parent))


def _check_name(text: str) -> None:
    if not text.strip() or '\0' in text:
        raise BadInput(f'{shown(text)} is no name of a file or folder')
