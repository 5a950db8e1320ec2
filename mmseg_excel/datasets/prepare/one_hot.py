"""One-hot tag dictionaries (``cls_labels_onehot.npy``), which weakly supervised code passes around.

Such a file is a pickle, and a pickle may run any code while it is read. So it is read once, by a
reader that builds numpy arrays and nothing else, and becomes a table.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...utils.problems import Problems
from ..tag_tables import TagTable

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
        ValueError: it holds something else; tells every bad entry.
    """
    content = _read_pickled_dict(Path(path))
    problems = Problems()
    table: TagTable = {}
    for key, value in content.items():
        name = _name(key)
        vector = np.asarray(value)
        if vector.shape != (len(classes),):
            problems.add(f'vectors of another length than {len(classes)}', f'{name} {vector.shape}')
        elif not np.isin(vector, (0, 1)).all():
            problems.add('vectors of other values than 0 and 1', name)
        else:
            table[name] = [classes[index] for index in np.flatnonzero(vector)]
    problems.raise_if_any(str(path))
    return table


def _read_pickled_dict(path: Path) -> Mapping:
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist.')
    with path.open('rb') as file:
        try:
            np.lib.format.read_magic(file)
            _, _, dtype = np.lib.format.read_array_header_1_0(file)
            content = _ArrayReader(file).load() if dtype.hasobject else None
        except pickle.UnpicklingError as error:
            raise ValueError(f'{path}: {error}.') from None
        except Exception as error:  # a broken pickle raises whatever it runs into
            raise ValueError(f'{path} is not a .npy file of a dictionary ({error}).') from None
    content = content.item() if getattr(content, 'shape', None) == () else content
    if not isinstance(content, Mapping):
        raise ValueError(f'{path} holds no dictionary of tags.')
    return content


class _ArrayReader(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        if (module, name) not in HARMLESS:
            raise pickle.UnpicklingError(
                f'refused to run {module}.{name}, which no dictionary of tags needs'
            )
        return super().find_class(module, name)


def _name(key: object) -> str:
    text = str(key)
    return f'{text[:4]}_{text[4:]}' if text.isdigit() and len(text) == 10 else text
