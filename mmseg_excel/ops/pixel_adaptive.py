"""Pixel-adaptive refinement, PAR (docs/method.md, section 7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..utils.checks import check_number, check_sequence, check_whole
from .blocking import cache_blocks
from .operators import has_kernels, operator

Offset = tuple[int, int]
ITERATIONS = '[0, 1000]'  # 0 leaves scores as they are


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
        check_whole('PixelAdaptiveRefinement.iterations', iterations, ITERATIONS)
        check_sequence('PixelAdaptiveRefinement.dilations', dilations)
        for dilation in dilations:
            check_whole('PixelAdaptiveRefinement.dilations', dilation, '[1, 1000]')
        check_number('PixelAdaptiveRefinement.colour_scale', colour_scale, '[0.001, 1e6]')
        check_number('PixelAdaptiveRefinement.position_weight', position_weight, '[0, 1e6]')
        self.iterations = iterations
        self.colour_scale = colour_scale
        self.position_weight = position_weight
        self.offsets: list[Offset] = [
            (dy * dilation, dx * dilation)
            for dilation in dilations
            for dy in (-1, 0, 1)
            for dx in (-1, 0, 1)
            if dy or dx
        ]
        self.neighbour_sum = NeighbourSum(self.offsets)
        self._dilations = list(dilations)
        self._position = (position_weight * self._position_kernel()).tolist()

    @property
    def position(self) -> list[float]:
        """What the place of each neighbour adds to its weight."""
        return self._position

    @torch.no_grad()
    def forward(self, images: Tensor, scores: Tensor) -> Tensor:
        """Refine scores (B, K, S, S) along images (B, 3, S, S) in 0..1."""
        if has_kernels(scores):
            return self._by_kernels(images, scores)
        refined = torch.zeros_like(scores)
        for image, given, result in cache_blocks(images, scores, refined):
            channels = _worthwhile_channels(given)
            result[:, channels] = self._average(self.affinity(image), given[:, channels])
        return refined

    def _by_kernels(self, images: Tensor, scores: Tensor) -> Tensor:
        weights = _affinity(images, self._dilations, self.position, self.colour_scale)
        for _ in range(self.iterations):
            scores = _neighbour_sum(weights, scores, self._dilations)
        return scores

    def affinity(self, images: Tensor) -> Tensor:
        """Weight of each neighbour of each pixel, (48, B, S, S)."""
        weights = self._similarity(images).softmax(dim=0)
        return weights.add_(weights.new_tensor(self.position)[:, None, None, None])

    def _average(self, affinity: Tensor, scores: Tensor) -> Tensor:
        """Replace scores (b, K, S, S) by weighted sums over neighbours, again and again."""
        for _ in range(self.iterations):
            scores = self.neighbour_sum(affinity, padded_for(self.offsets, scores))
        return scores

    def _similarity(self, images: Tensor) -> Tensor:
        """Minus the mean squared colour difference in standard deviations, (48, B, S, S)."""
        scale = 1 / ((self._deviation(images) + 1e-8) * self.colour_scale)
        similarity = images.new_empty(len(self.offsets), len(images), *images.shape[2:])
        difference = torch.empty_like(images)
        for out, neighbour in zip(similarity, self._around(images), strict=True):
            torch.sub(neighbour, images, out=difference).mul_(scale).square_()
            torch.mean(difference, dim=1, out=out)
        return similarity.neg_()

    def _deviation(self, images: Tensor) -> Tensor:
        """Unbiased standard deviation of each pixel's neighbours, (B, 3, S, S).

        By running sums: those of whole grey levels and of their squares have no rounding error,
        and double precision keeps the difference of the two exact.
        """
        count = len(self.offsets)
        levels = images * 255
        total, squares = torch.zeros_like(levels), torch.zeros_like(levels)
        for neighbour in self._around(levels):
            total += neighbour
            squares.addcmul_(neighbour, neighbour)
        total = total.double()
        variance = (squares.double() - total * total / count) / (count - 1)
        return (variance.clamp_(min=0).sqrt_() / 255).to(images.dtype)

    def _position_kernel(self) -> Tensor:
        """Softmax over the neighbours' distances, (48,)."""
        distance = torch.tensor(self.offsets, dtype=torch.float32).square().sum(dim=1).sqrt()
        return (-(distance / (distance.std() + 1e-8) / self.colour_scale).square()).softmax(dim=0)

    def _around(self, values: Tensor) -> Iterator[Tensor]:
        return neighbours(self.offsets, padded_for(self.offsets, values))


class NeighbourSum(nn.Module):
    """One iteration; a module of its own for :class:`CompileHook` to make a single kernel of.

    Args:
        offsets: Where the neighbours are.
    """

    def __init__(self, offsets: Sequence[Offset]) -> None:
        super().__init__()
        self.offsets = offsets

    def forward(self, weights: Tensor, padded: Tensor) -> Tensor:
        """Add up neighbours, (48, B, S, S) times padded (B, K, S + 2m, S + 2m): (B, K, S, S)."""
        summed = padded.new_zeros(*padded.shape[:2], *weights.shape[2:])
        for weight, neighbour in zip(weights, neighbours(self.offsets, padded), strict=True):
            summed.addcmul_(weight[:, None], neighbour)
        return summed


def padded_for(offsets: Sequence[Offset], values: Tensor) -> Tensor:
    """Replicate the border of (B, K, S, S) as far as the offsets reach, m pixels."""
    return F.pad(values, (_reach(offsets),) * 4, mode='replicate')


def neighbours(offsets: Sequence[Offset], padded: Tensor) -> Iterator[Tensor]:
    """Yield the picture inside of `padded`, seen from each offset."""
    margin = _reach(offsets)
    height, width = (side - 2 * margin for side in padded.shape[2:])
    for dy, dx in offsets:
        yield padded[..., margin + dy : margin + dy + height, margin + dx : margin + dx + width]


def _reach(offsets: Sequence[Offset]) -> int:
    return max(max(offset) for offset in offsets)


def _worthwhile_channels(scores: Tensor) -> Tensor | slice:
    """Index of the channels of (b, K, S, S) to refine: zeros everywhere stay zeros.

    Elsewhere than on a CPU all are: to look at them would make the host wait for the device.
    """
    if scores.device.type != 'cpu':
        return slice(None)
    return scores.flatten(2).any(dim=2).any(dim=0)


def _launch_affinity(
    images: Tensor, dilations: Sequence[int], position: Sequence[float], colour_scale: float
) -> Tensor:
    from .kernels import pixel_adaptive

    return pixel_adaptive.affinity(images, dilations, position, colour_scale)


def _launch_neighbour_sum(weights: Tensor, scores: Tensor, dilations: Sequence[int]) -> Tensor:
    from .kernels import pixel_adaptive

    return pixel_adaptive.neighbour_sum(weights, scores, dilations)


_affinity = operator(
    'pixel_affinity(Tensor images, int[] dilations, float[] position, float colour_scale)'
    ' -> Tensor',
    cuda=_launch_affinity,
    shaped=lambda images, dilations, position, colour_scale: images.new_empty(
        len(position), len(images), *images.shape[2:]
    ),
)
_neighbour_sum = operator(
    'neighbour_sum(Tensor weights, Tensor scores, int[] dilations) -> Tensor',
    cuda=_launch_neighbour_sum,
    shaped=lambda weights, scores, dilations: torch.empty_like(scores),
)
