"""The pairwise terms of a DenseCRF."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BRIGHTEST = 255


@dataclass(frozen=True)
class Kernel:
    """A Potts term between all pairs of pixels: Gaussian in their distance, or in colour as well.

    Attributes:
        sxy: Standard deviation of the distance, in pixels.
        compat: Weight.
        srgb: Standard deviation of the colour, in 8-bit levels. Default: None, colour is not
            looked at.
    """

    sxy: float
    compat: float
    srgb: float | None = None

    def extents(self, height: int, width: int) -> list[float]:
        """The largest each feature can be; the smallest is 0."""
        places = [(width - 1) / self.sxy, (height - 1) / self.sxy]
        return places if self.srgb is None else [*places, *3 * [BRIGHTEST / self.srgb]]

    def features(self, images: Tensor) -> Tensor:
        """Features of all pixels in standard deviations: x, y and perhaps the colour.

        Args:
            images: uint8, (B, H, W, 3).

        Returns:
            float32, (B, H * W, 2 or 5).
        """
        batch, height, width, _ = images.shape
        x, y = (torch.arange(side, device=images.device) for side in (width, height))
        places = torch.stack(torch.meshgrid(x, y, indexing='xy'), dim=-1).flatten(0, 1)
        places = _divided(places, self.sxy).expand(batch, -1, -1)
        if self.srgb is None:
            return places
        return torch.cat([places, _divided(images.flatten(1, 2), self.srgb)], dim=-1)


def _divided(values: Tensor, by: float) -> Tensor:
    """Rounded as a division in fp32 is: by a plain number, a GPU would multiply by its inverse."""
    return values.float() / torch.full((), by, dtype=torch.float32, device=values.device)
