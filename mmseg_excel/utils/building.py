"""Building what a config names; where that fails, one sentence tells why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.registry import Registry

from .bad_input import BadInput
from .checks import shown
from .config_errors import sentence_of_call
from .config_file import reason


def class_of(registry: Registry, kind: Any) -> Any:
    """The class that a config's ``type`` is, or names; None if nothing is registered so."""
    return registry.get(kind) if isinstance(kind, str) else kind


def build(registry: Registry, setting: str, config: Any) -> Any:
    """Build what a config describes.

    Args:
        registry: Where its type is looked up.
        setting: Where it stands in the whole config, for the message: ``'model.neck'``.
        config: A dict with a ``type`` and the arguments of that type.

    Raises:
        BadInput: There is no such type, or it does not take these arguments.
    """
    if not isinstance(config, Mapping) or not config.get('type'):
        raise BadInput(f"{setting} is {shown(config)}, but must be a dict with a 'type'.")
    kind = config['type']
    if isinstance(kind, str) and registry.get(kind) is None:
        raise BadInput(
            f"{setting}.type is '{kind}', which is not registered among {registry.name}s: correct "
            'the name, or import the package that has it (custom_imports in a config).'
        )
    try:
        return registry.build(config)
    except (TypeError, AssertionError) as error:  # arguments that it does not have, mmseg's checks
        cls = registry.get(kind) if isinstance(kind, str) else kind
        why = sentence_of_call(error, cls) or reason(error)
        raise BadInput(f'{setting} ({shown(kind)}) cannot be built: {why}') from error


def build_optional(registry: Registry, setting: str, config: Mapping | None) -> Any:
    """The same, but None stays None."""
    return None if config is None else build(registry, setting, config)
