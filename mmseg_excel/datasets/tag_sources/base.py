"""What every source of image tags promises."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...text.vocabulary import check_names
from ...utils.bad_input import BadInput
from ...utils.checks import shown
from ...utils.problems import Problems
from ..class_names import some_names


class TagSource:
    """Answers which classes an image shows; built by a data set from its ``tag_source`` config.

    Calling a source with the name of an image (its path below the image folder, without suffix)
    returns the names of the classes it shows, in any order and with repetitions.

    Args:
        root: Folder that relative paths of the source start from (the data set's ``data_root``).
        classes: Foreground class names (n).
    """

    def __init__(self, root: str | None, classes: Sequence[str]) -> None:
        name = type(self).__name__
        if not isinstance(root, str | Path | None):
            raise BadInput(f'{name}.root is {shown(root)}, but must name a folder.')
        check_names(f'{name}.classes', classes)
        self.root = Path(root or '')
        self.classes = tuple(classes)

    def __call__(self, name: str) -> list[str]:
        """Tags of the image called ``name``.

        Raises:
            FileNotFoundError: its tags are not there.
            BadInput: they are there but cannot be understood.
        """
        raise NotImplementedError

    def where(self, name: str) -> str:
        """Where the tags of the image called ``name`` stand, for messages."""
        raise NotImplementedError

    def path(self, *parts: str) -> str:
        """A path below ``root``."""
        return os.path.join(self.root, *parts)


def gather_tags(
    source: TagSource, names: Iterable[str], problems: Problems
) -> dict[str, list[str]]:
    """Tags of many images, in the source's order, each once; what is wrong goes to ``problems``."""
    tags = {}
    for name in names:
        try:
            found = list(dict.fromkeys(source(name)))
        except FileNotFoundError as error:
            problems.add('tags missing', str(error))
            continue
        except BadInput as error:
            problems.add('tags unreadable', str(error))
            continue
        for unknown in sorted(set(found).difference(source.classes)):
            problems.add(_not_a_class(source.classes), f'{shown(unknown)} ({source.where(name)})')
        tags[name] = [tag for tag in found if tag in source.classes]
    return tags


def _not_a_class(classes: Sequence[str]) -> str:
    return f'tags that are not one of the classes {some_names(classes)}'
