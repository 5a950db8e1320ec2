"""Arguments of data sets, checked before anything is read."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

from mmengine.registry import Registry
from mmseg.registry import TRANSFORMS

from ..utils.bad_input import BadInput
from ..utils.building import class_of
from ..utils.checks import check_flag, check_keys, check_text, check_whole, is_list, shown

_FLAGS = ('serialize_data', 'test_mode', 'lazy_init', 'reduce_zero_label')
_SUFFIXES = ('img_suffix', 'seg_map_suffix')


def check_arguments(owner: str, base: type, ann_file: object, arguments: Mapping) -> None:
    """Refuse what a data set cannot be made of.

    Args:
        owner: Name of the data set's class, for messages.
        base: The class that is given the arguments.
        ann_file: The list or table.
        arguments: The keyword arguments for ``base``.

    Raises:
        BadInput: Names the argument and its value.
    """
    check_keys(owner, arguments, list(inspect.signature(base).parameters))
    check_text(f'{owner}.ann_file', ann_file)
    if arguments.get('data_root') is not None:
        check_text(f'{owner}.data_root', arguments['data_root'])
    _check_prefix(f'{owner}.data_prefix', arguments['data_prefix'])
    for name in set(_SUFFIXES).intersection(arguments):
        check_text(f'{owner}.{name}', arguments[name])
    for name in set(_FLAGS).intersection(arguments):
        check_flag(f'{owner}.{name}', arguments[name])
    if 'max_refetch' in arguments:
        check_whole(f'{owner}.max_refetch', arguments['max_refetch'], '[0, inf)')
    if 'ignore_index' in arguments:
        check_whole(f'{owner}.ignore_index', arguments['ignore_index'], '[0, 255]')
    for name in {'filter_cfg', 'backend_args'}.intersection(arguments):
        if not isinstance(arguments[name], Mapping | None):
            raise BadInput(
                f'{owner}.{name} is {shown(arguments[name])}, but must be a dict or None.'
            )
    _check_pipeline(f'{owner}.pipeline', arguments.get('pipeline', ()))
    _check_indices(f'{owner}.indices', arguments.get('indices'))


def check_built(
    setting: str, config: object, registry: Registry, given: Sequence[str] = ()
) -> None:
    """Refuse a config that the registry can build nothing from.

    Args:
        setting: Name for the message.
        config: The config, a dict with ``type``.
        registry: Where the type is looked up.
        given: Arguments that it is given besides its own.

    Raises:
        BadInput: Names the type, or the argument that is missing or unknown.
    """
    if not isinstance(config, Mapping) or 'type' not in config:
        raise BadInput(f'{setting} is {shown(config)}, but must be a dict with a type.')
    kind = class_of(registry, config['type'])
    if not inspect.isclass(kind):
        raise BadInput(f'{setting} has the unknown type {shown(config["type"])}.')
    arguments = {key: value for key, value in config.items() if key not in ('type', '_scope_')}
    try:
        inspect.signature(kind).bind(**dict.fromkeys(given) | arguments)
    except TypeError as error:
        raise BadInput(f'{setting} does not fit {kind.__name__}: {error}.') from None


def _check_prefix(setting: str, prefix: Any) -> None:
    check_keys(setting, prefix, ('img_path', 'seg_map_path'))
    if 'img_path' not in prefix:
        raise BadInput(f"{setting} is {shown(prefix)}, but must name the image folder: 'img_path'.")
    for name, folder in prefix.items():
        if not isinstance(folder, str):
            raise BadInput(f'{setting}[{name!r}] is {shown(folder)}, but must name a folder.')


def _check_pipeline(setting: str, pipeline: object) -> None:
    if not isinstance(pipeline, Sequence) or isinstance(pipeline, str | bytes):
        raise BadInput(f'{setting} is {shown(pipeline)}, but must be a list of transforms.')
    for step in pipeline:
        if isinstance(step, Mapping):
            check_built(setting, step, TRANSFORMS)
        elif not callable(step):
            raise BadInput(f'{setting} has {shown(step)}, but must be a list of transforms.')


def _check_indices(setting: str, indices: Any) -> None:
    if indices is None:
        return
    for index in indices if is_list(indices) else [indices]:
        if not isinstance(index, Integral) or isinstance(index, bool):
            raise BadInput(
                f'{setting} is {shown(indices)}, but must be how many images, or which ones.'
            )
