"""What a data set says of its classes: their names and colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmseg.registry import DATASETS

from ..utils.bad_input import BadInput
from ..utils.building import class_of
from ..utils.checks import is_list, shown
from .class_names import check_class_names
from .palette import check_colours

BACKGROUND = 'background'


def check_metainfo(owner: type, metainfo: Mapping | None) -> None:
    """Refuse names that are not the background and distinct classes, or colours that do not fit.

    Args:
        owner: Class of the data set; its ``METAINFO`` says what ``metainfo`` leaves open.
        metainfo: As in a config.

    Raises:
        BadInput: Names the data set, what is wrong and the way out.
    """
    name = f'{owner.__name__}.metainfo'
    if not isinstance(metainfo, Mapping | None):
        raise BadInput(f'{name} is {shown(metainfo)}, but must be a dict of classes and palette.')
    metainfo = metainfo or {}
    names = metainfo.get('classes', getattr(owner, 'METAINFO', {}).get('classes'))
    if not _are_names(names):
        raise BadInput(
            f"{name}['classes'] is {shown(names)}, but must be a list of distinct names, "
            f'{BACKGROUND!r} first.'
        )
    check_class_names(f"{name}['classes']", names[1:])
    palette = metainfo.get('palette')
    if palette is None:
        return
    check_colours(f"{name}['palette']", palette)
    if len(palette) != len(names):
        raise BadInput(
            f"{name}['palette'] has {len(palette)} colours for {len(names)} classes: give one "
            'colour a class, the background first.'
        )


def foreground_of(config: Mapping) -> tuple[str, ...] | None:
    """Foreground classes that a data set of this config will have; None if only it can tell."""
    if config.get('classes'):
        return tuple(config['classes'])
    owner = class_of(DATASETS, config.get('type'))
    names = (config.get('metainfo') or {}).get('classes')
    names = names or getattr(owner, 'METAINFO', {}).get('classes') or ()
    return tuple(names[1:]) if _are_names(names) else None


def _are_names(names: Any) -> bool:
    return (
        is_list(names)
        and all(isinstance(name, str) and name.strip() for name in names)
        and len(set(names)) == len(names) > 1
        and names[0] == BACKGROUND
    )
