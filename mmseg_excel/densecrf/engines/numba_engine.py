"""DenseCRF on the CPU without a compiler at installation: numba compiles it at first use."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from .compiling import compiled
from .kernel import Kernel
from .lattice import strides_of
from .numba_lattice import CompiledLattice
from .vectors import LANES, add, exp, fill, larger, largest, load, multiply, store, subtract, total

IMPOSSIBLE = np.float32(-1e30)  # logit of the classes that rows are filled up with
SIZES_KEPT = 4


def mean_field(
    images: Tensor, energies: Tensor, kernels: Sequence[Kernel], iterations: int
) -> Tensor:
    """The same as :func:`.torch_engine.mean_field`, on the CPU, image by image."""
    return torch.stack(
        [
            _mean_field([_term(kernel, image) for kernel in kernels], energy, iterations)
            for image, energy in zip(images, energies, strict=True)
        ]
    )


class CompiledTerm:
    """A kernel on one image: lattice and norms serve any beliefs about it.

    Args:
        kernel: Its settings.
        image: uint8, (H, W, 3).

    Attributes:
        vertices: Of each pixel, int32 (H * W, d + 1).
        weights: Of their messages to the pixel, float32 (H * W, d + 1).
    """

    def __init__(self, kernel: Kernel, image: Tensor) -> None:
        features = np.ascontiguousarray(kernel.features(image[None])[0].numpy())
        self._lattice = CompiledLattice(features, strides_of(kernel.extents(*image.shape[:2])))
        self.vertices = self._lattice.vertices
        norms = self._norms()[:, None]
        self._splat_weights = norms * self._lattice.weights
        self.weights = np.float32(kernel.compat) * norms * self._slice_weights()

    def rows(self, width: int) -> np.ndarray:
        """Room for what the lattice points know of beliefs whose rows have this many numbers."""
        return self._lattice.rows(width)

    def gather(self, beliefs: np.ndarray, rows: np.ndarray) -> None:
        """Let the lattice points know of beliefs, in rows from :meth:`rows`."""
        self._lattice.gather(beliefs, self._splat_weights, rows)

    def _norms(self) -> np.ndarray:
        ones = np.ones(len(self.vertices) * LANES, np.float32)
        rows = self._lattice.rows(LANES)
        self._lattice.gather(ones, self._lattice.weights, rows)
        received = rows[::LANES][self.vertices] * self._slice_weights()
        return 1 / np.sqrt(received.sum(axis=1) + np.float32(1e-20))

    def _slice_weights(self) -> np.ndarray:
        dims = self.vertices.shape[1] - 1
        return self._lattice.weights * np.float32(1 / (1 + 2.0**-dims))


def _term(kernel: Kernel, image: Tensor) -> CompiledTerm:
    if kernel.srgb is None:
        return _term_of_size(kernel, *image.shape[:2])
    return CompiledTerm(kernel, image)


@lru_cache(maxsize=SIZES_KEPT)
def _term_of_size(kernel: Kernel, height: int, width: int) -> CompiledTerm:
    """Of a kernel that sees no colours: the same for all images of a size."""
    return CompiledTerm(kernel, torch.zeros(height, width, 3, dtype=torch.uint8))


def _mean_field(terms: Sequence[CompiledTerm], energies: Tensor, iterations: int) -> Tensor:
    classes, height, width = energies.shape
    row = -(-classes // LANES) * LANES
    unary = np.full((height * width, row), IMPOSSIBLE)
    unary[:, :classes] = -energies.flatten(1).T.numpy()
    unary = unary.ravel()
    beliefs = unary.copy()
    _softmax(beliefs, row)
    messages = tuple((term.rows(row), term.vertices, term.weights) for term in terms)
    for _ in range(iterations):
        for term, (rows, _, _) in zip(terms, messages, strict=True):
            term.gather(beliefs, rows)
        _update(unary, row, messages, beliefs)
    refined = torch.from_numpy(beliefs).view(height, width, row)
    return refined[..., :classes].permute(2, 0, 1).contiguous()


@compiled
def _update(unary, width, messages, beliefs):
    """Beliefs by unary logits and the messages of all terms, (rows, vertices, weights) of each."""
    for pixel in range(len(unary) // width):
        start = pixel * width
        for lane in range(0, width, LANES):
            logits = load(unary, start + lane)
            for rows, vertices, weights in messages:
                message = fill(np.float32(0))
                for corner in range(vertices.shape[1]):
                    at = np.int64(vertices[pixel, corner]) * width + lane
                    share = multiply(fill(weights[pixel, corner]), load(rows, at))
                    message = add(message, share)
                logits = add(logits, message)
            store(beliefs, start + lane, logits)
        _softmax_row(beliefs, start, width)


@compiled
def _softmax(logits, width):
    """Of every row, in place."""
    for start in range(0, len(logits), width):
        _softmax_row(logits, start, width)


@compiled
def _softmax_row(logits, start, width):
    best = load(logits, start)
    for at in range(start + LANES, start + width, LANES):
        best = larger(best, load(logits, at))
    top = fill(largest(best))
    sums = fill(np.float32(0))
    for at in range(start, start + width, LANES):
        power = exp(subtract(load(logits, at), top))
        sums = add(sums, power)
        store(logits, at, power)
    scale = fill(np.float32(1) / total(sums))
    for at in range(start, start + width, LANES):
        store(logits, at, multiply(scale, load(logits, at)))
