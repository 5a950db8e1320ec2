"""What transforms are given, checked: pipelines are put together by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any

import numpy as np

from ...utils.bad_input import BadInput
from ...utils.checks import is_list, shown

MOST_LABELS = 256


def check_given(transform: object, results: object, *needed: str) -> None:
    """Refuse results that lack a key a transform needs, or hold what is none under a key it reads.

    Args:
        transform: Who reads them.
        results: The dict that goes through the pipeline.
        needed: Keys that must be there; all those of ``KINDS`` must be what they should be.

    Raises:
        BadInput: Names transform, key and value.
    """
    owner = type(transform).__name__
    if not isinstance(results, Mapping):
        raise BadInput(f'{owner} is given {shown(results)}, but needs the dict of an image.')
    for key in needed:
        if key not in results:
            raise BadInput(
                f'{owner} needs {key!r} of an image, which nothing before it put there: correct '
                'the order of the pipeline.'
            )
    for key, (fits, kind) in KINDS.items():
        if key in results and not fits(results[key]):
            raise BadInput(
                f'{owner} is given {shown(results[key])} as {key!r} of an image, but it must be '
                f'{kind}.'
            )


def _is_image(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim in (2, 3) and value.size > 0


def _is_mask(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype.kind in 'biu'


def _is_vector(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in 'biuf'


def _is_size(value: Any) -> bool:
    return _are(Integral, value) and len(value) >= 2


def _are_names(value: Any) -> bool:
    return _are(str, value)


def _is_label_map(value: Any) -> bool:
    if not isinstance(value, Mapping | None):
        return False
    labels = [label for pair in (value or {}).items() for label in pair]
    return _are(Integral, labels) and all(0 <= label < MOST_LABELS for label in labels)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _are(kind: type, value: Any) -> bool:
    return is_list(value) and all(isinstance(item, kind) for item in value)


#: What stands under a key, and how a sentence calls it.
KINDS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    'img': (_is_image, 'an array (H, W, 3)'),
    'gt_seg_map': (_is_mask, 'an array (H, W) of whole numbers'),
    'gt_tags': (_is_vector, 'a vector of numbers'),
    'gt_tag_order': (_is_vector, 'a vector of numbers'),
    'ori_shape': (_is_size, 'height and width'),
    'tags': (_are_names, 'a list of names'),
    'foreground': (_are_names, 'a list of names'),
    'label_map': (_is_label_map, f'a dict of whole numbers below {MOST_LABELS}'),
    'reduce_zero_label': (_is_flag, 'True or False'),
    'seg_fields': (_is_list, 'a list'),
}
