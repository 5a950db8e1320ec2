"""Config files: read, overridden, and what is wrong with them as one sentence."""

from __future__ import annotations

import ast
import json
import os
import re
import traceback
from collections.abc import Mapping
from pathlib import Path

import yaml
from mmengine.config import Config

from .bad_input import BadInput
from .checks import shown
from .text_file import check_file, check_path, read_text

SUFFIXES = ('.py', '.json', '.yaml', '.yml')
CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
RECIPES = (CONFIGS, CONFIGS / 'baselines')
# MMEngine's functions that read one file each; what they read is their local `filename`.
_READERS = ('_file2dict', '_parse_lazy_import')


def config_path(name: str | Path) -> Path:
    """The file of a config; where there is none, the packaged recipe of that name.

    Raises:
        FileNotFoundError: There is neither.
    """
    if not isinstance(name, str) or not re.fullmatch(r'\w+', name) or os.path.isfile(name):
        return Path(name)
    recipes = {path.stem: path for folder in RECIPES for path in sorted(folder.glob('*.py'))}
    if name not in recipes:
        raise FileNotFoundError(
            f'There is no config {shown(name)}: give a file or one of the packaged ones, '
            f'{", ".join(recipes)}.'
        )
    return recipes[name]


def read_config_file(path: str | Path) -> Config:
    """Read a config file, or a packaged recipe by its name, and resolve what it imports.

    Raises:
        FileNotFoundError: There is no such file.
        BadInput: It is no config, or it or a file it builds on cannot be read; names file and line.
    """
    check_path(path, 'config')
    path = config_path(path)
    check_file(path, 'config')
    if Path(path).suffix not in SUFFIXES:
        raise BadInput(f"'{path}' is no config: its name must end in {', '.join(SUFFIXES)}.")
    _check_text(path)
    try:
        cfg = Config.fromfile(path)
        _resolve(cfg._cfg_dict)
    except (Exception, SystemExit) as error:
        raise BadInput(f'{_place(error, path)}: {reason(error)}') from error
    return cfg


def read_settings(path: str | Path, options: Mapping[str, object] | None = None) -> Config:
    """Read a config file and override some of its settings; see :mod:`.config_options`."""
    from .config_options import override

    cfg = read_config_file(path)
    override(cfg, options or {})
    return cfg


def name_of(cfg: Config) -> str:
    """What messages call a config."""
    return f"'{cfg.filename}'" if cfg.filename else 'The config'


def reason(error: BaseException, most: int = 300) -> str:
    """What an error says, on one line; its kind where that is not plain from the message."""
    text = ' '.join(str(error).split()).rstrip('.')
    if isinstance(error, KeyError) and error.args:
        text = ' '.join(str(error.args[0]).split()).rstrip('.')
    text = text if len(text) <= most else f'{text[:most]}...'
    return f'{type(error).__name__}{f": {text}" if text else ""}.'


def _check_text(path: str | Path) -> None:
    """Find out what MMEngine would answer with an error that names no file, or with a program."""
    text = read_text(path, 'config')
    if not text.strip():
        raise BadInput(f"'{path}' is empty: a config sets at least `model`.")
    suffix = Path(path).suffix
    try:
        if suffix == '.py':
            ast.parse(text)
            return
        content = json.loads(text) if suffix == '.json' else _plain_yaml(text)
    except (SyntaxError, ValueError, yaml.YAMLError, RecursionError, MemoryError) as error:
        number = getattr(error, 'lineno', None)
        line = f', line {number}' if number else ''
        raise BadInput(f"'{path}'{line} is not {suffix[1:]}: {reason(error)}") from None
    if not isinstance(content, dict):
        raise BadInput(f"'{path}' holds {shown(content)}, but a config maps names to settings.")


def _plain_yaml(text: str) -> object:
    """YAML without tags, which can run programs, and aliases, which can fill the memory."""
    if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
        raise ValueError('aliases (*name) are not read, write out what they stand for')
    return yaml.safe_load(text)


def _resolve(value: object) -> None:
    """Import now what `from ... import` promises: later it would fail without naming the config."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            _resolve(item)


def _place(error: BaseException, path: str | Path) -> str:
    """File and line where reading a config failed: its own, or of one it builds on."""
    file, line = str(path), None
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name in _READERS and Path(frame.f_locals['filename']).is_file():
            file, line = frame.f_locals['filename'], None
        elif frame.f_code.co_name == '<module>':
            file, line = frame.f_code.co_filename, number
    if isinstance(error, SyntaxError):
        file = file if error.filename in (None, '<unknown>') else error.filename
        line = error.lineno
    return f"'{file}', line {line}" if line else f"'{file}'"
