"""ExCEL: maps of calibrated patches and enriched texts, which the adapter makes dynamic."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..clip.frozen_clip import CLIPTrace
from ..utils.bad_input import BadInput
from .adapter_features import features_changed_in_place
from .affinity import last_attention
from .attribute_text_head import AttributeTextHead
from .gradient_cam_head import GradientCAMHead
from .lvc_adapter import dynamic_relation
from .room_checks import check_neck
from .svc_neck import Calibration, SVCNeck
from .tag_segmentor import built
from .trained_segmentor import TrainedSegmentor


@dataclass
class Reading:
    """CLIP as ExCEL reads it.

    Attributes:
        calibration: What maps and refinement are made of.
        features: What the adapter sees, L times (B, P, D).
    """

    calibration: Calibration
    features: list[Tensor]


@MODELS.register_module()
class ExCEL(TrainedSegmentor):
    """Exploring CLIP's dense knowledge (Yang et al., CVPR 2025; docs/method.md).

    Pixels -> FrozenCLIP -> SVCNeck -> AttributeTextHead -> maps. Adapter features calibrate, in the
    dynamic phase, the maps that supervise the adapter.

    Args:
        neck: :class:`SVCNeck`.
        **rooms: Of :class:`TrainedSegmentor`.
    """

    TEXT_HEAD = AttributeTextHead

    def __init__(self, neck: dict, **rooms) -> None:
        super().__init__(**rooms)
        if isinstance(self.text_head, GradientCAMHead):
            raise BadInput(
                "model.text_head.type is 'GradientCAMHead', which maps no calibrated patches: "
                "set it to 'AttributeTextHead'."
            )
        self.neck = built('neck', neck, SVCNeck)
        check_neck(self)

    @property
    def num_adapter_layers(self) -> int:
        """All of CLIP's."""
        return self.backbone.num_layers

    def rooms(self, trained: bool) -> list[nn.Module]:
        """What labels come from, without or with what was trained."""
        return [*super().rooms(trained), self.neck]

    def extract_feat(self, inputs: Tensor, for_labels: bool = True) -> Reading:
        """Read CLIP with the model's own calibration, and forget what nobody needs any more."""
        attention_layers = self.neck.num_attention if for_labels else 0
        trace = self.backbone(inputs, attention_layers, inner_layers=self.neck.num_inner)
        reading = self.read(trace)
        trace.drop_inner()
        return reading

    def read(self, trace: CLIPTrace, neck: SVCNeck | None = None) -> Reading:
        """Read a trace, with another calibration of maps and attention if one is given.

        The adapter sees the features it was trained on, whatever the calibration of the maps.
        """
        own = self.neck(trace)
        return Reading(own if neck is None else neck(trace), features_changed_in_place(own))

    def maps(self, reading: Reading, tags: Tensor, relation: Tensor | None = None) -> Tensor:
        """Maps of all classes: static, or dynamic ones if relation logits are given."""
        calibration = reading.calibration
        return self.text_head(embed(calibration, relation), calibration.trace.grid)

    def attention(self, reading: Reading, dynamic: bool) -> Tensor:
        """Means over heads in uncalibrated blocks, sums in calibrated ones (method 7)."""
        calibration = reading.calibration
        return last_attention(calibration.trace, self.neck.num_attention, calibration.num_layers)

    def fuse(self, reading: Reading) -> Tensor:
        """Adapter features G, (B, 256, g_h, g_w)."""
        return self.adapter(reading.features, reading.calibration.trace.grid)

    def images01(self, inputs: Tensor) -> Tensor:
        """RGB in 0..1, truncated to whole grey levels (method 7)."""
        return self.levels(inputs).to(torch.uint8) / 255


def embed(calibration: Calibration, relation: Tensor | None) -> Tensor:
    """F, (B, N, C): static, or shifted along the relation if its logits (B, P, P) are given."""
    if relation is None:
        return calibration.embeddings()
    return calibration.shifted_embeddings(dynamic_relation(relation))
