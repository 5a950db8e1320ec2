"""ExCEL for MMSegmentation: after importing this package, its registries find all parts.

The parts are imported when the registries are first asked for something: PyTorch, MMSegmentation
and the methods take seconds, which a command that only prints its help should not.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from .registration import register_when_asked
from .utils.import_noise import ignore_missing_operators
from .version import __version__

__all__ = ['__version__']

register_when_asked()
ignore_missing_operators()


def __getattr__(name: str) -> ModuleType:
    """Import a subpackage at its first use: ``mmseg_excel.models``."""
    try:
        return import_module(f'{__name__}.{name}')
    except ModuleNotFoundError as error:
        if error.name != f'{__name__}.{name}':
            raise
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}') from None
