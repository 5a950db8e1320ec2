"""PseudoLabeler: from class activation maps to pseudo labels (docs/method.md, section 7)."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmseg.registry import MODELS
from torch import Tensor

from ..ops.pixel_adaptive import PixelAdaptiveRefinement
from ..ops.resize import resize
from ..utils.checks import check_keys, check_number
from ..utils.room import Room, sibling
from . import ranges
from .affinity import refine_maps, transition_matrix
from .settings import RefinedSettings
from .tags import Tags

PAR_SETTINGS = tuple(inspect.signature(PixelAdaptiveRefinement).parameters)


@dataclass
class PseudoLabels:
    """Pseudo labels of a batch.

    Attributes:
        labels: (B, S, S) integers: 0 background, foreground class c as c + 1.
        scores: (B, 1 + K, S, S), K the most tags an image has: background, then the image's
            classes in order. Channels beyond an image's own tags are zero.
        tags: The tags of the images.
    """

    labels: Tensor
    scores: Tensor
    tags: Tags

    @property
    def channels(self) -> Tensor:
        """Label of each channel of `scores`, (B, 1 + K); -1 where an image has none such."""
        return self.tags.labels()

    def cropped(self, size: Sequence[int]) -> PseudoLabels:
        """Keep the top left (height, width)."""
        height, width = size
        labels, scores = (x[..., :height, :width] for x in (self.labels, self.scores))
        return PseudoLabels(labels, scores, self.tags)

    def dense_scores(self, num_classes: int) -> Tensor:
        """Scores of all n+1 labels, 0 for classes an image is not tagged with, (B, n+1, S, S)."""
        dense = self.scores.new_zeros(len(self.scores), num_classes, *self.scores.shape[2:])
        channels = self.channels[:, :, None, None]
        index = channels.clamp(min=0).expand_as(self.scores)
        return dense.scatter_add_(1, index, self.scores * (channels >= 0))

    def at(self, index: int, size: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Scores of one image at its own size.

        Returns:
            Scores that sum to one, (1 + k, *size), and the label of each, (1 + k,).
        """
        own = slice(1 + self.tags.counts[index])
        scores = resize(self.scores[index : index + 1, own], size)[0]
        return scores / scores.sum(dim=0), self.channels[index][own]


@MODELS.register_module()
class PseudoLabeler(Room):
    """Refines maps of the tagged classes along CLIP's attention and the image's colours.

    Args:
        box_threshold: τ; 0.79 for VOC (default), 0.88 for COCO.
        pixel_adaptive: Settings of :class:`PixelAdaptiveRefinement`.
    """

    def __init__(
        self, box_threshold: float = 0.79, pixel_adaptive: dict | None = None, init_cfg=None
    ) -> None:
        super().__init__(init_cfg)
        check_number('PseudoLabeler.box_threshold', box_threshold, ranges.BOX_THRESHOLD)
        pixel_adaptive = {} if pixel_adaptive is None else pixel_adaptive
        check_keys('PseudoLabeler.pixel_adaptive', pixel_adaptive, PAR_SETTINGS)
        self.box_threshold = box_threshold
        self.pixel_adaptive = PixelAdaptiveRefinement(**pixel_adaptive)

    def asked(self, settings: RefinedSettings) -> PseudoLabeler:
        """A sibling as settings ask it."""
        return sibling(
            self,
            box_threshold=settings.box_threshold,
            pixel_adaptive=sibling(self.pixel_adaptive, iterations=settings.par_iterations),
        )

    @torch.no_grad()
    def forward(
        self,
        maps: Tensor,
        attention: Tensor,
        tags: Tags,
        images: Tensor,
        affinity: Tensor | None = None,
    ) -> PseudoLabels:
        """Label the pixels of a batch.

        Args:
            maps: Class activation maps, (B, n, g_h, g_w) in 0..1.
            attention: Attention of the last layers, (layers, B, P, P).
            tags: Of the images.
            images: (B, 3, S, S), RGB in 0..1.
            affinity: Predicted affinity (B, P, P) in the dynamic phase.
        """
        refined = refine_tagged(maps, attention, tags, self.box_threshold, affinity)
        scores = self.pixel_adaptive(images, score_stack(refined, images.shape[2:]))
        return self.labels_of(scores, tags)

    def labels_of(self, scores: Tensor, tags: Tags) -> PseudoLabels:
        """Label pixels by their highest score; both as :class:`PseudoLabels` has them."""
        winners = scores.max(dim=1).indices  # argmax is many times slower on a CPU
        labels = tags.labels().gather(1, winners.flatten(1)).view_as(winners)
        return PseudoLabels(labels, scores, tags)


def refine_tagged(
    maps: Tensor,
    attention: Tensor,
    tags: Tags,
    box_threshold: float,
    affinity: Tensor | None = None,
) -> Tensor:
    """Refine the maps of the tagged classes along attention, never in half precision.

    Returns:
        Refined maps, (B, K, g_h, g_w), zero beyond an image's own tags.
    """
    classes = tags.classes[:, :, None, None].expand(-1, -1, *maps.shape[2:])
    tagged = maps.float().gather(1, classes)
    with torch.autocast(maps.device.type, enabled=False):
        transition = transition_matrix(attention.float(), affinity)
        refined = refine_maps(tagged, transition, box_threshold)
    return refined * tags.present[:, :, None, None]


def score_stack(refined: Tensor, size: tuple[int, int]) -> Tensor:
    """Background score and resized min-max normalised maps: (B, 1 + K, S, S)."""
    resized = resize(stretched(refined), size)
    background = 1 - resized.amax(dim=1, keepdim=True)
    return torch.cat([background, resized], dim=1)


def stretched(maps: Tensor) -> Tensor:
    """Min-max normalised maps (B, K, g_h, g_w)."""
    low, high = maps.amin(dim=(2, 3), keepdim=True), maps.amax(dim=(2, 3), keepdim=True)
    return (maps - low) / (high - low + 1e-7)
