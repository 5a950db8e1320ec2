"""Pixel-adaptive refinement, PAR (docs/method.md, section 7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Offset = tuple[int, int]


class PixelAdaptiveRefinement(nn.Module):
    """Averages scores over neighbours that look alike and lie near, again and again.

    Args:
        iterations: Default: 20.
        dilations: Distances in pixels of the 3x3 rings of neighbours.
            Default: 1, 2, 4, 8, 12, 24 (48 neighbours).
        colour_scale: Differences are divided by this many standard deviations. Default: 0.3.
        position_weight: Weight of the purely spatial kernel. Default: 0.01.
    """

    def __init__(
        self,
        iterations: int = 20,
        dilations: Sequence[int] = (1, 2, 4, 8, 12, 24),
        colour_scale: float = 0.3,
        position_weight: float = 0.01,
    ) -> None:
        super().__init__()
        self.iterations = iterations
        self.colour_scale = colour_scale
        self.position_weight = position_weight
        self.margin = max(dilations)
        self.offsets: list[Offset] = [
            (dy * dilation, dx * dilation)
            for dilation in dilations
            for dy in (-1, 0, 1)
            for dx in (-1, 0, 1)
            if dy or dx
        ]

    @torch.no_grad()
    def forward(self, images: Tensor, scores: Tensor) -> Tensor:
        """Refine scores (B, K, S, S) along images (B, 3, S, S) in 0..1."""
        kernel = self.affinity(images)
        for _ in range(self.iterations):
            refined = torch.zeros_like(scores)
            for weight, neighbour in zip(kernel, self._neighbours(scores), strict=True):
                refined.addcmul_(weight[:, None], neighbour)
            scores = refined
        return scores

    def affinity(self, images: Tensor) -> Tensor:
        """Weight of each neighbour of each pixel, (48, B, S, S)."""
        deviation = self._deviation(images) + 1e-8
        distance = torch.stack(
            [
                ((neighbour - images).abs() / deviation / self.colour_scale).square().mean(dim=1)
                for neighbour in self._neighbours(images)
            ]
        )
        colour = (-distance).softmax(dim=0)
        position = self._position_kernel().to(colour)
        return colour.add_(self.position_weight * position[:, None, None, None])

    def _deviation(self, images: Tensor) -> Tensor:
        """Unbiased standard deviation of each pixel's neighbours, (B, 3, S, S)."""
        return torch.stack(list(self._neighbours(images))).std(dim=0)

    def _position_kernel(self) -> Tensor:
        """Softmax over the neighbours' distances, (48,)."""
        distance = torch.tensor(self.offsets, dtype=torch.float32).square().sum(dim=1).sqrt()
        return (-(distance / (distance.std() + 1e-8) / self.colour_scale).square()).softmax(dim=0)

    def _neighbours(self, values: Tensor) -> Iterator[Tensor]:
        """Yield `values` seen from each offset, the border replicated."""
        margin = self.margin
        height, width = values.shape[-2:]
        padded = F.pad(values, (margin,) * 4, mode='replicate')
        for dy, dx in self.offsets:
            yield padded[..., margin + dy : margin + dy + height, margin + dx : margin + dx + width]
