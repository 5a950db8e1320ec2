"""Arrays that two processes see, so that nothing is pickled between them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

SHARED_MEMORY_FOLDER = Path('/dev/shm')

Shape = tuple[int, int, int]


class SharedBlock:
    """Shared memory for the arrays of one image at a time; grows to the largest image.

    The process that created it writes probabilities and reads labels; the other way round in the
    process that looks at it by name, see :func:`image_arrays`.
    """

    def __init__(self) -> None:
        self._memory: SharedMemory | None = None
        self._shape: Shape = (0, 0, 0)

    @property
    def name(self) -> str:
        """Name under which other processes find the block."""
        return self._held.name

    @property
    def shape(self) -> Shape:
        """Shape of the probabilities it holds."""
        return self._shape

    def write(self, probabilities: Tensor, classes: Sequence[int]) -> None:
        """Copy the given classes of probabilities (n+1, H, W) in, from any device.

        Raises:
            OSError: They do not fit into the system's shared memory.
        """
        self._shape = (len(classes), *probabilities.shape[1:])
        self._make_room()
        _, shared = image_arrays(self._held, self._shape)
        for target, index in zip(torch.from_numpy(shared), classes, strict=True):
            target.copy_(probabilities[index])

    def read_labels(self) -> np.ndarray:
        """A copy of the labels, uint8 (H, W)."""
        labels, _ = image_arrays(self._held, self._shape)
        return labels.copy()

    def unlink(self) -> None:
        """Give the memory back to the system."""
        if self._memory is not None:
            self._memory.unlink()
            with suppress(BufferError):  # somebody still looks at it: freed with the last look
                self._memory.close()
            self._memory = None

    @property
    def _held(self) -> SharedMemory:
        assert self._memory is not None, 'nothing has been written'
        return self._memory

    def _make_room(self) -> None:
        size = _bytes_needed(self._shape)
        if self._memory is None or self._memory.size < size:
            self.unlink()
            _check_free(size, self._shape)
            self._memory = SharedMemory(create=True, size=size)


def image_arrays(memory: SharedMemory, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Views into a block: labels uint8 (H, W) and probabilities float32 (classes, H, W)."""
    _, height, width = shape
    probabilities = np.ndarray(shape, np.float32, memory.buf)
    labels = np.ndarray((height, width), np.uint8, memory.buf, offset=probabilities.nbytes)
    return labels, probabilities


def _bytes_needed(shape: Shape) -> int:
    classes, height, width = shape
    return (4 * classes + 1) * height * width


def _check_free(size: int, shape: Shape) -> None:
    """Refuse what does not fit: writing to it, the process would be ended by the system."""
    if not SHARED_MEMORY_FOLDER.is_dir():
        return
    free = shutil.disk_usage(SHARED_MEMORY_FOLDER).free
    if size > free:
        classes, height, width = shape
        raise OSError(
            f'{SHARED_MEMORY_FOLDER} has {free >> 20} MiB left, but an image of {height}x{width} '
            f'pixels with {classes} classes needs {(size >> 20) + 1} MiB: enlarge it (docker run '
            '--shm-size), lower queue_size, or raise min_probability.'
        )
