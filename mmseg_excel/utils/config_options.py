"""Overrides of a config's settings, by dotted name: refused where nothing would read them."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.runner import Runner
from mmseg import registry as registries
from torch.utils.data import DataLoader

from .bad_input import BadInput
from .checks import shown
from .config_file import name_of

# What MMEngine reads beside the arguments of the class that a dict builds.
_OF_EVERY_ROOM = {'_delete_', '_scope_', 'type'}
_OF_CONFIGS = {'activation_checkpointing', 'compile', 'efficient_conv_bn_eval'}
_OF_SCHEDULERS = {'convert_to_iter_based'}
_OF_LOADERS = {'dataset', 'num_batch_per_epoch'}
_PREFIXES = {'img_path', 'seg_map_path'}
# What MMEngine gives, not the user.
_GIVEN = {'self', 'cfg', 'params', 'optimizer'}
_STARRED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def override(cfg: Config, options: Mapping[str, object]) -> None:
    """Override settings of a config.

    Args:
        cfg: Changed in place.
        options: Values by dotted name; a number is an index of a list. A name that the config does
            not set must be an argument of the class that it belongs to.

    Raises:
        BadInput: There is no such setting; names it and what there is.
    """
    # A new type first: the other names are its settings.
    kinds = {name: value for name, value in options.items() if name.endswith('.type')}
    for part in (kinds, {name: options[name] for name in options if name not in kinds}):
        for name in part:
            _check_name(cfg, name)
        try:
            cfg.merge_from_dict(copy.deepcopy(part))
        except (TypeError, AttributeError, KeyError) as error:
            raise BadInput(
                f'{", ".join(map(shown, part))} cannot be set together: one names a setting, '
                f'another something within it ({type(error).__name__}).'
            ) from None


def settings_of(cls: Any) -> list[str]:
    """Names of the arguments of a class, those it hands to its bases included."""
    names, rest = [], True
    for base in inspect.getmro(cls) if inspect.isclass(cls) else [cls]:
        if inspect.isclass(base) and '__init__' not in vars(base):
            continue
        parameters = inspect.signature(base).parameters.values()
        names += [p.name for p in parameters if p.kind not in _STARRED]
        rest = any(p.kind == p.VAR_KEYWORD for p in parameters)
        if not rest:
            break
    return list(dict.fromkeys(names))


def _check_name(cfg: Config, name: str) -> None:
    """Walk down a dotted name; below a new setting of a known class, that class will tell."""
    parts = name.split('.')
    value, within = cfg._cfg_dict, ''
    for part in parts:
        if isinstance(value, list | tuple):
            value = _element(cfg, value, part, within, name)
        elif not isinstance(value, dict):
            raise BadInput(
                f'{name_of(cfg)} has no setting {name!r}: {within} is {shown(value)}, which has '
                'no settings of its own.'
            )
        elif part in value:
            value = value[part]
        else:
            known = _known(value, within)
            if known is None or part in known | _OF_EVERY_ROOM:
                return
            raise BadInput(
                f'{name_of(cfg)} has no setting {name!r}: {within or "it"} has '
                f'{", ".join(sorted(known)) or "none"}.'
            )
        within = f'{within}.{part}'.lstrip('.')


def _element(cfg: Config, value: list | tuple, part: str, within: str, name: str) -> object:
    if not (part.isascii() and part.isdigit() and int(part) < len(value)):
        raise BadInput(
            f'{name_of(cfg)} has no setting {name!r}: {within} is a list of {len(value)}, '
            'counted from 0.'
        )
    return value[int(part)]


def _known(room: dict, name: str) -> set[str] | None:
    """Names that a dict of the config may have; None if only whoever reads it knows."""
    own, last = set(room) - _OF_EVERY_ROOM, name.split('.')[-1]
    if 'type' in room:
        cls = _class_of(room['type'])
        more = _OF_SCHEDULERS if 'param_scheduler' in name else set()
        return None if cls is None else (own | more | {*settings_of(cls)}) - _GIVEN
    if not name:
        return (own | _OF_CONFIGS | {*settings_of(Runner)}) - _GIVEN
    if last.endswith('_dataloader'):
        return own | _OF_LOADERS | {*settings_of(DataLoader)} - _GIVEN
    if last == 'randomness':
        return {*settings_of(Runner.set_randomness)} - _GIVEN
    if last == 'data_prefix':
        return own | _PREFIXES
    return None if last.endswith('_cfg') or name.startswith('model') else own


def _class_of(kind: object) -> object:
    """The class that a type names, in whatever registry it is; None if nobody knows it."""
    if not isinstance(kind, str):
        return kind
    for registry in vars(registries).values():
        while isinstance(registry, Registry):
            if kind in registry.module_dict:
                return registry.module_dict[kind]
            registry = registry.parent
    return None
