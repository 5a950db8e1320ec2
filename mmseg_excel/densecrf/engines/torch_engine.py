"""DenseCRF in plain PyTorch: the readable engine, for any device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...ops.lattice_filter import add_slice
from .kernel import Kernel
from .lattice import PermutohedralLattice, strides_of


def mean_field(
    images: Tensor, energies: Tensor, kernels: Sequence[Kernel], iterations: int
) -> Tensor:
    """Mean-field inference (docs/method.md, section 9).

    Args:
        images: uint8, (B, H, W, 3).
        energies: float32, (B, C, H, W), of the classes at each pixel alone; on the same device.
        kernels: The pairwise terms.
        iterations: How often messages pass between all pixels.

    Returns:
        Probabilities, float32, (B, C, H, W).
    """
    terms = [PairwiseTerm(kernel, images) for kernel in kernels]
    unary = -energies.movedim(1, -1).flatten(0, 2)
    beliefs = unary.softmax(dim=1)
    for _ in range(iterations):
        logits = unary
        for term in terms:
            logits = term.add_messages(logits, beliefs, normalise=term is terms[-1])
        beliefs = logits
    batch, _, height, width = energies.shape
    return beliefs.unflatten(0, (batch, height, width)).movedim(-1, 1)


class PairwiseTerm:
    """A kernel on images of one size: lattice and norms serve any beliefs about these images.

    Args:
        kernel: Its settings.
        images: uint8, (B, H, W, 3).
    """

    def __init__(self, kernel: Kernel, images: Tensor) -> None:
        batch, height, width, _ = images.shape
        strides = strides_of(kernel.extents(height, width), batch)
        self._lattice = PermutohedralLattice(kernel.features(images), strides)
        ones = torch.ones(batch * height * width, 1, device=images.device)
        norms = (self._lattice.filter(ones) + 1e-20).rsqrt()
        self._shares = self._lattice.in_order(norms * self._lattice.weights)
        self._weights = kernel.compat * norms * self._lattice.slice_weights

    def add_messages(self, logits: Tensor, beliefs: Tensor, normalise: bool) -> Tensor:
        """Add to each pixel's logits what all pixels tell it.

        Args:
            logits: (B * H * W, C).
            beliefs: What the pixels believe, of the same shape.
            normalise: Whether to return the softmax of the sums.
        """
        lattice = self._lattice.gather(beliefs, self._shares)
        return add_slice(logits, lattice, self._lattice.vertices, self._weights, normalise)
