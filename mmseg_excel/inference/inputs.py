"""What an inferencer is given: images, names and a folder, checked before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..models.attribute_text_head import check_competition
from ..text.vocabulary import Vocabulary
from ..utils.bad_input import BadInput
from ..utils.checks import check_path, check_sequence, check_text, shown
from ..utils.images import IMAGE_SUFFIXES

LONGEST_PATH = 4095
MOST_PIXELS = 80_000_000
MOST_LABELS = 255  # label maps are uint8, and 255 means "ignored"


def named_images(inputs: object) -> list[tuple[str, str | Path | np.ndarray]]:
    """Image files and arrays with the names of their answers; folders are opened, in order.

    Raises:
        BadInput: There is no image, or something is none.
    """
    images = [
        (f'{number:06d}' if isinstance(item, np.ndarray) else Path(item).stem, item)
        for number, item in enumerate(_each_image(inputs))
    ]
    if not images:
        raise BadInput('There is no image: give a file, a folder, an array, or a list of these.')
    return images


def _each_image(inputs: object) -> Iterator[str | Path | np.ndarray]:
    if isinstance(inputs, list | tuple):
        for item in inputs:
            yield from _each_image(item)
    elif isinstance(inputs, np.ndarray):
        yield inputs
    elif not isinstance(inputs, str | Path) or not 0 < len(str(inputs)) <= LONGEST_PATH:
        raise BadInput(f'{shown(inputs)} is neither an image file, nor a folder, nor an array.')
    elif Path(inputs).is_dir():
        images = sorted(p for p in Path(inputs).iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
        if not images:
            raise BadInput(f"'{inputs}' holds no image ({', '.join(sorted(IMAGE_SUFFIXES))}).")
        yield from images
    else:
        yield inputs


def check_array(image: np.ndarray) -> None:
    """Refuse arrays that are no pictures as OpenCV reads them.

    Raises:
        BadInput: Says what the array is instead.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise BadInput(
            'An image array must be uint8 BGR of shape (H, W, 3), as mmcv.imread returns it; '
            f'this one is {image.dtype} of shape {image.shape}.'
        )
    height, width = image.shape[:2]
    if height * width > MOST_PIXELS:
        raise BadInput(
            f'An image of {width} x {height} pixels is too large: shrink it to at most '
            f'{MOST_PIXELS // 10**6} million.'
        )


def check_file_name(setting: str, name: str) -> None:
    """Refuse what cannot be part of the name of a file in a folder."""
    check_text(setting, name)
    check_path(setting, name)
    if Path(name).name != name:
        raise BadInput(f'{setting} is {shown(name)}, but must be the name of a file, not a path.')


def check_folder(out_dir: str | Path, names: Sequence[str]) -> None:
    """Make the folder of the answers; refuse it if they cannot all be written there.

    Raises:
        BadInput: It is no folder or cannot be written, or two answers have one name.
    """
    check_path('out_dir', out_dir)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadInput(
            f'Two images are named {twice!r}, and the answer of one would overwrite the other in '
            f'{out_dir}: ask for them one by one, with an out_dir each.'
        )
    try:
        Path(out_dir).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"out_dir '{out_dir}' cannot be a folder ({error.strerror}): choose another one."
        ) from None
    if not os.access(out_dir, os.W_OK):
        raise BadInput(f"out_dir '{out_dir}' cannot be written: choose another one.")


def check_names(what: str, names: Sequence[str]) -> None:
    """Refuse what is no list of different names; a single string is none.

    Raises:
        BadInput: Names the argument and the wrong name.
    """
    if not isinstance(names, list | tuple):
        raise BadInput(f'{what} is {shown(names)}, but must be a list of names.')
    for name in names:
        check_text(f'{what} has a name that', name)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadInput(f'{what} names {twice!r} twice: name everything once.')


def check_classes(classes: Sequence[str]) -> None:
    """Refuse classes of which there are none, or more than a label map can show."""
    check_sequence('classes', classes)
    check_names('classes', classes)
    if len(classes) >= MOST_LABELS:
        raise BadInput(f'{len(classes)} classes are too many: name at most {MOST_LABELS - 1}.')


def check_vocabulary(vocabulary: Vocabulary) -> None:
    """Refuse what is no vocabulary, or one in which nothing competes."""
    if not isinstance(vocabulary, Vocabulary):
        raise BadInput(f'{shown(vocabulary)} is no Vocabulary: make one with make_vocabulary().')
    check_competition(vocabulary)


def check_tags(tags: Sequence[str], vocabulary: Vocabulary) -> tuple[str, ...]:
    """The tags in the vocabulary's order.

    Raises:
        BadInput: A tag is none of the classes, or is named twice.
    """
    check_names('tags', tags)
    unknown = sorted(set(tags) - set(vocabulary.classes))
    if unknown:
        raise BadInput(
            f'{shown(unknown[0])} is none of the classes {_listed(vocabulary.classes)}; for words '
            'of your own give them as classes=[...].'
        )
    return tuple(name for name in vocabulary.classes if name in tags)


def _listed(names: Sequence[str], most: int = 500) -> str:
    text = ', '.join(names)
    return text if len(text) <= most else f'{text[:most]}...'
