"""WeCLIP: gradient CAMs, refined along attention that the adapter's affinity weighs."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor

from ..clip.frozen_clip import CLIPTrace
from ..utils.checks import check_whole
from .adapter_features import clean_features
from .affinity import last_attention
from .lvc_adapter import LVCAdapter, predicted_affinity
from .room_checks import check_attention
from .settings import RefinedSettings
from .tags import Tags
from .trained_segmentor import TrainedSegmentor


@MODELS.register_module()
class WeCLIP(TrainedSegmentor):
    """Frozen CLIP (Zhang et al., CVPR 2024).

    Pixels -> FrozenCLIP -> GradientCAMHead -> maps, which nothing trained enters; in the dynamic
    phase the adapter's affinity chooses and weighs the attention that refines them.

    Args:
        static_layers: How many of the last layers' attention refine maps in the static phase.
            Default: 8.
        dynamic_layers: Of how many of the last layers the dynamic phase chooses. Default: 6, as
            for VOC; 10 for COCO.
        **rooms: Of :class:`TrainedSegmentor`; ``text_head`` is a :class:`GradientCAMHead`.
    """

    NAME = 'WeCLIP'

    def __init__(self, static_layers: int = 8, dynamic_layers: int = 6, **rooms) -> None:
        super().__init__(**rooms)
        check_whole('WeCLIP.static_layers', static_layers, '[1, 256]')
        check_whole('WeCLIP.dynamic_layers', dynamic_layers, '[1, 256]')
        check_attention(self, 'static_layers', static_layers)
        check_attention(self, 'dynamic_layers', dynamic_layers)
        self.static_layers = static_layers
        self.dynamic_layers = dynamic_layers

    @property
    def num_adapter_layers(self) -> int:
        """All but the last, at whose input the gradients are taken."""
        return self.backbone.num_layers - 1

    @property
    def num_attention(self) -> int:
        """As many as either phase needs."""
        return max(self.static_layers, self.dynamic_layers)

    @property
    def settings(self) -> RefinedSettings:
        """How it answers unless asked otherwise."""
        return RefinedSettings(
            box_threshold=self.pseudo_labeler.box_threshold,
            par_iterations=self.pseudo_labeler.pixel_adaptive.iterations,
        )

    def particulars(self) -> dict:
        """Which attention refines maps."""
        return dict(static_layers=self.static_layers, dynamic_layers=self.dynamic_layers)

    def correlations(self, trace: CLIPTrace, relation: Tensor | None = None) -> dict[str, Tensor]:
        """With the affinity that the adapter predicts."""
        views = super().correlations(trace)
        if relation is not None:
            views['affinity'] = predicted_affinity(relation)[0]
        return views

    def maps(self, reading: CLIPTrace, tags: Tags, relation: Tensor | None = None) -> Tensor:
        """Maps of the tagged classes, static in every phase."""
        return self.text_head(reading, self.backbone.tower, tags, self.backbone.logit_scale)

    def attention(self, reading: CLIPTrace, dynamic: bool) -> Tensor:
        """Means over heads of the last layers."""
        return last_attention(reading, self.dynamic_layers if dynamic else self.static_layers)

    def fuse(self, reading: CLIPTrace) -> Tensor:
        """Adapter features of all layers but the last."""
        return self.adapter(clean_features(reading, self.num_adapter_layers), reading.grid)

    def images01(self, inputs: Tensor) -> Tensor:
        """RGB in 0..1, rounded to whole grey levels, so that no level is lost."""
        return self.levels(inputs).round() / 255


@MODELS.register_module()
class InnerProductAdapter(LVCAdapter):
    """WeCLIP's adapter: patches are alike as far as their features' inner products say."""

    def __init__(
        self,
        in_channels: int,
        num_layers: int,
        channels: int = 256,
        dropout: float = 0.1,
        init_cfg=None,
    ) -> None:
        super().__init__(in_channels, num_layers, channels, dropout, init_cfg=init_cfg)

    def relation_logits(self, fused: Tensor, over_batch: bool) -> Tensor:
        """GᵀG between all patches of an image, (B, P, P); no mean, so images never meet."""
        features = fused.flatten(2).float()
        with torch.autocast(fused.device.type, enabled=False):
            return features.transpose(1, 2) @ features
