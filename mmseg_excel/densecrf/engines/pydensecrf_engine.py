"""DenseCRF by the library of its authors, compiled for the CPU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pydensecrf.densecrf as pydensecrf
import torch
from torch import Tensor

from .kernel import Kernel


def mean_field(
    images: Tensor, energies: Tensor, kernels: Sequence[Kernel], iterations: int
) -> Tensor:
    """The same as :func:`.torch_engine.mean_field`, on the CPU, image by image."""
    refined = [
        _mean_field(image.numpy(), energy.contiguous().numpy(), kernels, iterations)
        for image, energy in zip(images, energies, strict=True)
    ]
    return torch.from_numpy(np.stack(refined))


def _mean_field(
    image: np.ndarray, energies: np.ndarray, kernels: Sequence[Kernel], iterations: int
) -> np.ndarray:
    classes, height, width = energies.shape
    crf = pydensecrf.DenseCRF2D(width, height, classes)
    crf.setUnaryEnergy(energies.reshape(classes, -1))
    for kernel in kernels:
        if kernel.srgb is None:
            crf.addPairwiseGaussian(sxy=kernel.sxy, compat=kernel.compat)
        else:
            crf.addPairwiseBilateral(
                sxy=kernel.sxy,
                srgb=kernel.srgb,
                rgbim=np.ascontiguousarray(image),
                compat=kernel.compat,
            )
    return np.array(crf.inference(iterations), dtype=np.float32).reshape(energies.shape)
