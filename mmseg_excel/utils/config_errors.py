"""What goes wrong while objects are built from a config, as one sentence."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mmengine.config import Config

from .bad_input import BadInput
from .checks import shown
from .config_file import name_of, reason
from .config_options import settings_of

_UNEXPECTED = re.compile(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'")
_LACKING = re.compile(r'missing \d+ required (?:positional|keyword-only) arguments?: (.+)')


@contextmanager
def setting_up(cfg: Config) -> Iterator[None]:
    """Name the config, and the class and setting if they can be told, in whatever is raised.

    Wrap what builds objects from the config. What this package says of bad input is left as it is.

    Raises:
        BadInput: In place of errors of other packages, and of calls that do not fit a class.
    """
    try:
        yield
    except (BadInput, OSError, ImportError):
        raise
    except Exception as error:
        if isinstance(error, ValueError) and _is_ours(error):
            raise
        raise BadInput(f'{name_of(cfg)}: {_sentence(error)}') from error


def _is_ours(error: Exception) -> bool:
    """Whether this package raised an error itself, so that its message is a sentence."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return frames[-1].f_globals.get('__name__', '').startswith('mmseg_excel.')


def _sentence(error: Exception) -> str:
    building = _innermost_building(error)
    if building is None:
        return sentence_of_call(error, None) or reason(error)
    settings, cls = building.f_locals['cfg'], building.f_locals.get('obj_cls')
    if not isinstance(settings, dict):
        return f'{shown(settings)} stands where a dict with a `type` must stand.'
    kind = settings.get('type')
    if cls is None:
        name = building.f_locals['registry'].name
        return f'there is no {name} of type {shown(kind)}: check the spelling of `type`.'
    name = getattr(cls, '__name__', str(cls))
    return sentence_of_call(error, cls) or f'{name} cannot be made of its settings: {reason(error)}'


def sentence_of_call(error: Exception, cls: object) -> str | None:
    """What is wrong with the arguments that a class was called with, if that is what is wrong."""
    if not isinstance(error, TypeError):
        return None
    name = getattr(cls, '__name__', None)
    if found := _UNEXPECTED.search(str(error)):
        known = f'; it has {", ".join(_shown_settings(cls))}' if cls else ''
        return f'{name or found[1]} has no setting {found[2]!r}{known}.'
    if (found := _LACKING.search(str(error))) and name:
        return f'{name} needs the setting {found[1]}.'
    return None


def _shown_settings(cls: object) -> list[str]:
    return [name for name in settings_of(cls) if name not in ('self', 'init_cfg')]


def _innermost_building(error: Exception) -> FrameType | None:
    """The innermost call of MMEngine's ``build_from_cfg``; its locals tell what it builds."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    building = [frame for frame in frames if frame.f_code.co_name == 'build_from_cfg']
    return building[-1] if building else None
