"""ExCEL: maps of calibrated patches and enriched texts, which the adapter makes dynamic."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..clip.frozen_clip import CLIPTrace
from ..text.class_texts import MODES
from ..utils.bad_input import BadInput
from ..utils.checks import check_choice
from ..utils.room import sibling
from . import ranges
from .adapter_features import features_changed_in_place
from .affinity import last_attention
from .attribute_text_head import AttributeTextHead
from .correlations import intra_correlation
from .gradient_cam_head import GradientCAMHead
from .lvc_adapter import dynamic_relation
from .room_checks import check_neck
from .settings import RefinedSettings, Settings
from .svc_neck import SIMILARITIES, Calibration, SVCNeck
from .tag_segmentor import built
from .tags import Tags
from .trained_segmentor import TrainedSegmentor


@dataclass(frozen=True, kw_only=True)
class ExCELSettings(RefinedSettings):
    """How ExCEL is asked; docs/method.md tells what each setting does.

    Attributes:
        calibration: Similarities that make the attention, a mode of :class:`SVCNeck`.
        num_layers: Calibrated blocks, N_svc.
        texts: ``'attributes'``, ``'global'`` or ``'fuse'``.
        attribute_weight: λ.
        keep_ratio: K_r, in (0, 1].
    """

    calibration: str
    num_layers: int
    texts: str
    attribute_weight: float
    keep_ratio: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice('ExCELSettings.calibration', self.calibration, SIMILARITIES)
        self.check_whole('num_layers', ranges.CALIBRATED_BLOCKS)
        check_choice('ExCELSettings.texts', self.texts, MODES)
        self.check_number('attribute_weight', ranges.ATTRIBUTE_WEIGHT)
        self.check_number('keep_ratio', ranges.KEEP_RATIO)

    @property
    def texts_from(self) -> dict:
        """Class texts with what is known of the classes."""
        return dict(
            mode=self.texts,
            keep_ratio=self.keep_ratio,
            attribute_weight=self.attribute_weight,
        )


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

    NAME = 'ExCEL'
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

    @property
    def num_attention(self) -> int:
        """As many as the neck keeps."""
        return self.neck.num_attention

    @property
    def num_inner(self) -> int:
        """As many as the neck calibrates or keeps the attention of."""
        return self.neck.num_inner

    @property
    def settings(self) -> ExCELSettings:
        """How it answers unless asked otherwise."""
        texts = self.text_head.settings
        return ExCELSettings(
            calibration=self.neck.mode,
            num_layers=self.neck.num_layers,
            texts=texts['mode'],
            attribute_weight=texts['attribute_weight'],
            keep_ratio=texts['keep_ratio'],
            box_threshold=self.pseudo_labeler.box_threshold,
            par_iterations=self.pseudo_labeler.pixel_adaptive.iterations,
        )

    def check_settings(self, settings: Settings) -> None:
        """Refuse more calibrated blocks than CLIP has, too."""
        super().check_settings(settings)
        settings.check_whole('num_layers', f'[0, {self.backbone.num_layers}]')

    def asked(self, settings: ExCELSettings, text_head: AttributeTextHead | None = None) -> ExCEL:
        """A sibling with another calibration, see :meth:`TagSegmentor.asked`.

        The adapter knows the calibration it was trained on alone: the sibling has no relation of
        its own.
        """
        neck = SVCNeck(settings.num_layers, settings.calibration, self.neck.num_attention)
        model = sibling(super().asked(settings, text_head), neck=neck)
        check_neck(model)
        return model

    def correlations(self, trace: CLIPTrace, relation: Tensor | None = None) -> dict[str, Tensor]:
        """With what calibrates the tokens (SVC), and what a head sees with the relation (LVC)."""
        views = super().correlations(trace)
        if self.neck.num_layers:
            views['SVC'] = intra_correlation(trace, self.neck.num_layers)
            if relation is not None:
                views['SVC + LVC'] = views['SVC'] + dynamic_relation(relation)[0]
        return views

    def read(self, trace: CLIPTrace) -> Reading:
        """Calibrate a trace, and keep the features that the adapter sees."""
        calibration = self.neck(trace)
        return Reading(calibration, features_changed_in_place(calibration))

    def maps(self, reading: Reading, tags: Tags, relation: Tensor | None = None) -> Tensor:
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
