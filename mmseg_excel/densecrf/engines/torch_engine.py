"""DenseCRF in plain PyTorch: the readable engine, for any device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

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
        beliefs = sum((term.messages(beliefs) for term in terms), unary).softmax(dim=1)
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
        self._norms = (self._lattice.filter(ones) + 1e-20).rsqrt()
        self._weighted_norms = kernel.compat * self._norms

    def messages(self, beliefs: Tensor) -> Tensor:
        """What all pixels tell each, (B * H * W, C), given what they believe."""
        return self._weighted_norms * self._lattice.filter(self._norms * beliefs)
