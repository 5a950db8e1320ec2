"""Registration with MMSegmentation, when its registries are first asked and not before.

MMEngine's registries import the modules of their ``locations`` at their first look-up. Ours is
added to them: now if they are there, and otherwise as soon as they are.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

PARTS = f'{__package__}.parts'
# Where MMEngine and MMSegmentation make their registries: hooks, loops and schedules of ours are
# in the former's, as runners of other libraries use them too.
HOMES = ('mmengine.registry.root', 'mmseg.registry.registry')


def register_when_asked() -> None:
    """Have the registries import all parts when something is looked up in them."""
    for name in HOMES:
        if name in sys.modules:
            _add_parts(sys.modules[name])
    if not all(name in sys.modules for name in HOMES):
        sys.meta_path.insert(0, _Watch())


class _Watch(MetaPathFinder):
    """Adds the parts to registries as soon as the module that makes them has been imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in HOMES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_add(module: ModuleType) -> None:
                execute(module)
                _add_parts(module)

            spec.loader.exec_module = execute_and_add  # type: ignore[method-assign]
        return spec


def _add_parts(home: ModuleType) -> None:
    from mmengine.registry import Registry

    for registry in vars(home).values():
        if isinstance(registry, Registry):
            registry._locations.append(PARTS)
            if registry._imported:  # has been asked already, and will not look again
                import_module(PARTS)
