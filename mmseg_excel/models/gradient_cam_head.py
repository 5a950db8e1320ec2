"""GradientCAMHead: maps from the gradients of class probabilities."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..clip.frozen_clip import CLIPTrace
from .attribute_text_head import AttributeTextHead
from .gradient_cam import gradient_cams, normalise_twice
from .tags import Tags


@MODELS.register_module()
class GradientCAMHead(AttributeTextHead):
    """Gradient CAMs of CLIP's last block, as WeCLIP and CLIP-ES use them.

    The classes of an image compete with each other and the backgrounds, never with classes it is
    not tagged with. Class names alone are the texts.

    Args:
        vocabulary: As :class:`AttributeTextHead` takes it, and ``in_channels``.
    """

    def __init__(
        self, vocabulary: str | dict, in_channels: int | None = None, init_cfg=None
    ) -> None:
        super().__init__(vocabulary, in_channels, mode='global', init_cfg=init_cfg)

    @torch.no_grad()
    def forward(self, trace: CLIPTrace, tower: nn.Module, tags: Tags, scale: float) -> Tensor:
        """Map the tagged classes.

        Args:
            trace: The tower's computation; the outputs of all blocks are enough.
            tower: CLIP's vision tower.
            tags: Of the images.
            scale: exp(logit_scale) of CLIP.

        Returns:
            (B, n, g_h, g_w) in 0..1; 0 for classes an image is not tagged with.
        """
        self.require_texts()
        tokens = trace.blocks[-2].output.float()
        allowed = self._competing(tags)
        # A likely class has gradients of 1e-3, an unlikely one of 1e-8: never in half precision.
        with torch.autocast(tokens.device.type, enabled=False):
            raw = gradient_cams(tower, tokens, self.class_texts, allowed, tags.classes, scale)
            maps = normalise_twice(raw) * tags.present[..., None]
        dense = maps.new_zeros(len(maps), self.num_foreground, maps.shape[-1])
        dense.scatter_add_(1, tags.classes[..., None].expand_as(maps), maps)
        return dense.unflatten(2, trace.grid)

    def _competing(self, tags: Tags) -> Tensor:
        """Texts of the tagged classes and of all backgrounds, boolean (B, T)."""
        named = self.class_texts.new_zeros(len(tags.classes), self.num_foreground)
        named.scatter_add_(1, tags.classes, tags.present.to(named.dtype))
        backgrounds = len(self.class_texts) - self.num_foreground
        return F.pad(named, (0, backgrounds), value=1) > 0
