"""One-hot tag dictionaries (``cls_labels_onehot.npy``), which weakly supervised code passes around.

Such a file is a pickle, and a pickle may run any code while it is read. So it is read once, by a
reader that builds numpy arrays and nothing else, and becomes a table.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...utils.bad_input import BadInput
from ...utils.checks import in_one_line
from ...utils.problems import Problems
from ...utils.text_file import check_size
from ..lists import leaves_folder
from ..tag_tables import TagTable

MOST_BYTES = 2**30
#: Everything a pickled dictionary of arrays needs, under the names numpy has had.
HARMLESS = {
    (module, name)
    for module in ('numpy', 'numpy.core.multiarray', 'numpy._core.multiarray')
    for name in ('ndarray', 'dtype', '_reconstruct', 'scalar')
} | {
    ('numpy.core.numeric', '_frombuffer'),
    ('numpy._core.numeric', '_frombuffer'),
    ('_codecs', 'encode'),
}


def read_one_hot(path: str | Path, classes: Sequence[str]) -> TagTable:
    """Read a one-hot dictionary without running any code that hides in it.

    Args:
        path: A .npy file that holds {image name: vector of n zeros and ones}. Names that are
            numbers, 2007000032, become VOC's names, 2007_000032.
        classes: The n foreground class names, in the order of the vectors.

    Raises:
        FileNotFoundError: there is no such file.
        BadInput: it holds something else; tells every bad entry.
    """
    problems = Problems()
    table: TagTable = {}
    for key, value in _read_pickled_dict(path).items():
        name = _name(key)
        if name is None:
            problems.add('entries without the name of an image', f'a {type(key).__name__}')
        elif not isinstance(value, np.ndarray) or value.shape != (len(classes),):
            shape = getattr(value, 'shape', ())
            problems.add(f'vectors of another length than {len(classes)}', f'{name} {shape}')
        elif value.dtype.kind not in 'biuf' or not np.isin(value, (0, 1)).all():
            problems.add('vectors of other values than 0 and 1', name)
        elif name in table:
            problems.add('images listed twice', name)
        else:
            table[name] = [classes[int(index)] for index in np.flatnonzero(value)]
    problems.raise_if_any(str(path))
    if not table:
        raise BadInput(f'{path} names no image.')
    return table


def _read_pickled_dict(path: str | Path) -> Mapping:
    check_size(path, 'dictionary of tags', MOST_BYTES)
    with open(path, 'rb') as file:
        try:
            np.lib.format.read_magic(file)
            _, _, dtype = np.lib.format.read_array_header_1_0(file)
            content = _ArrayReader(file).load() if dtype.hasobject else None
        except pickle.UnpicklingError as error:
            raise BadInput(f'{path}: {in_one_line(error)}.') from None
        except Exception as error:  # a broken pickle raises whatever it runs into
            reason = in_one_line(error) or type(error).__name__
            raise BadInput(f'{path} is not a .npy file of a dictionary ({reason}).') from None
    if isinstance(content, np.ndarray) and content.shape == ():
        content = content.item()
    if not isinstance(content, Mapping):
        raise BadInput(f'{path} holds no dictionary of tags.')
    return content


class _ArrayReader(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        if (module, name) not in HARMLESS:
            raise pickle.UnpicklingError(
                f'refused to run {module}.{name}, which no dictionary of tags needs'
            )
        return super().find_class(module, name)


def _name(key: object) -> str | None:
    """The image's name; None if it is none."""
    if not isinstance(key, str | int | np.integer) or isinstance(key, bool):
        return None
    text = str(key)
    if not text.strip() or not text.isprintable() or leaves_folder(text):
        return None
    return f'{text[:4]}_{text[4:]}' if text.isdigit() and len(text) == 10 else text
