"""CLIP-ES: gradient CAMs refined along attention; nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from ..clip.frozen_clip import CLIPTrace
from ..ops.resize import resize
from ..utils.bad_input import BadInput
from ..utils.checks import check_number, check_whole
from ..utils.room import Room, sibling
from . import ranges
from .affinity import last_attention
from .pseudo_label import refine_tagged, stretched
from .room_checks import check_attention, check_windows
from .settings import Settings
from .tag_segmentor import TagSegmentor
from .tags import Tags

BACKGROUND_POWER = '(0, 100]'  # t


@dataclass(frozen=True, kw_only=True)
class CLIPESSettings(Settings):
    """How CLIP-ES is asked.

    Attributes:
        background_power: t of the background's score (1 - max)^t.
    """

    background_power: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_number('background_power', BACKGROUND_POWER)


@dataclass
class GridScores:
    """Scores of a batch at the patches.

    Attributes:
        scores: (B, K, g_h, g_w), K the most tags an image has; of pixels where windows slide.
        tags: The tags of the images, in the order that decides ties.
        background_power: t of the background's score (1 - max)^t.
    """

    scores: Tensor
    tags: Tags
    background_power: float

    def at(self, index: int, size: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Scores of one image at its own size, in half precision, whose rounding decides labels.

        Returns:
            Scores, (1 + k, *size), and the label of each, (1 + k,). The first highest one wins:
            ties fall to the background, then to the class that is named first.
        """
        count = self.tags.counts[index]
        labels = self.tags.labels()[index, : 1 + count]
        if not count:  # torch resizes no empty stack
            return self.scores.new_ones(1, *size).half(), labels
        resized = resize(self.scores[index : index + 1, :count], size)[0].half()
        highest = resized.amax(dim=0, keepdim=True)
        with torch.autocast(resized.device.type, enabled=False):  # which knows one half precision
            stack = torch.cat([(1 - highest) ** self.background_power, resized])
        return stack, labels


@MODELS.register_module()
class HalfScoreLabeler(Room):
    """Refines maps of the tagged classes along CLIP's attention; no colours are looked at.

    Args:
        box_threshold: τ; 0.4 for VOC (default), 0.7 for COCO.
        background_power: t. Default: 1, which is better on VOC; the reference tries 1 and 2 and
            keeps what scores better against the ground truth, which nobody may know.
    """

    def __init__(
        self, box_threshold: float = 0.4, background_power: float = 1, init_cfg=None
    ) -> None:
        super().__init__(init_cfg)
        check_number('HalfScoreLabeler.box_threshold', box_threshold, ranges.BOX_THRESHOLD)
        check_number('HalfScoreLabeler.background_power', background_power, BACKGROUND_POWER)
        self.box_threshold = box_threshold
        self.background_power = background_power

    def asked(self, settings: CLIPESSettings) -> HalfScoreLabeler:
        """A sibling as settings ask it."""
        return sibling(
            self,
            box_threshold=settings.box_threshold,
            background_power=settings.background_power,
        )

    @torch.no_grad()
    def forward(self, maps: Tensor, attention: Tensor, tags: Tags) -> GridScores:
        """Score the tagged classes at the patches.

        Args:
            maps: Class activation maps, (B, n, g_h, g_w) in 0..1.
            attention: Attention of the last layers, (layers, B, P, P).
            tags: Of the images.
        """
        refined = refine_tagged(maps, attention, tags, self.box_threshold)
        return self.labels_of(stretched(refined), tags)

    def labels_of(self, scores: Tensor, tags: Tags) -> GridScores:
        """What labels come from; both as :class:`GridScores` has them."""
        return GridScores(scores, tags, self.background_power)


@MODELS.register_module()
class CLIPES(TagSegmentor):
    """CLIP is also an efficient segmenter (Lin et al., CVPR 2023).

    Pixels -> FrozenCLIP -> GradientCAMHead -> maps -> HalfScoreLabeler -> labels. Images are
    *resized* to whole patches, not padded (:class:`ResizeToPatches`), and normalised with CLIP's
    own statistics.

    Args:
        attention_layers: How many of the last layers' attention refine maps. Default: 8.
        **rooms: Of :class:`TagSegmentor`; ``text_head`` is a :class:`GradientCAMHead`,
            ``pseudo_labeler`` a :class:`HalfScoreLabeler`.
    """

    NAME = 'CLIP-ES'
    LABELER = HalfScoreLabeler

    def __init__(self, attention_layers: int = 8, **rooms) -> None:
        super().__init__(**rooms)
        check_whole('CLIPES.attention_layers', attention_layers, '[1, 256]')
        check_attention(self, 'attention_layers', attention_layers)
        check_windows(self)
        self.attention_layers = attention_layers

    @property
    def num_attention(self) -> int:
        """As many as refine maps."""
        return self.attention_layers

    @property
    def settings(self) -> CLIPESSettings:
        """How it answers unless asked otherwise."""
        labeler = self.pseudo_labeler
        return CLIPESSettings(
            box_threshold=labeler.box_threshold, background_power=labeler.background_power
        )

    def particulars(self) -> dict:
        """Which attention refines maps."""
        return dict(attention_layers=self.attention_layers)

    def extract_feat(self, inputs: Tensor, for_labels: bool = True) -> CLIPTrace:
        """Trace CLIP on images that were resized to whole patches.

        Raises:
            BadInput: They were not: their labels would not lie where the image is.
        """
        self._check_whole_patches(inputs)
        return super().extract_feat(inputs, for_labels)

    def _check_whole_patches(self, inputs: Tensor) -> None:
        height, width = inputs.shape[2:]
        patch = self.backbone.patch_size
        if height % patch or width % patch:
            raise BadInput(
                f'CLIP-ES is given an image of {width} x {height} pixels, which are no whole '
                f'patches of {patch}: set patch_size of ResizeToPatches in the pipeline to {patch}.'
            )

    def maps(self, reading: CLIPTrace, tags: Tags, relation: Tensor | None = None) -> Tensor:
        """Maps of the tagged classes."""
        return self.text_head(reading, self.backbone.tower, tags, self.backbone.logit_scale)

    def attention(self, reading: CLIPTrace, dynamic: bool) -> Tensor:
        """Means over heads of the last layers."""
        return last_attention(reading, self.attention_layers)

    @torch.no_grad()
    def label(
        self,
        maps: Tensor,
        reading: CLIPTrace,
        inputs: Tensor,
        tags: Tags,
        relation: Tensor | None = None,
    ) -> GridScores:
        """Scores of the tagged classes, see :meth:`TagSegmentor.label`."""
        return self.pseudo_labeler(maps, self.attention(reading, dynamic=False), tags)

    def places_of_tags(self, data_samples: list[SegDataSample]) -> list[list[int] | None]:
        """Ties fall to the class that is named first, if ``gt_tags`` has their ``order``."""
        orders = [sample.gt_tags.get('order') for sample in data_samples]
        return [None if order is None else order.tolist() for order in orders]

    def scores_in(self, pseudo: GridScores, size: Sequence[int]) -> Tensor:
        """What scores say of the pixels of inputs, see :meth:`TagSegmentor.scores_in`."""
        return resize(pseudo.scores, size)

    def scores_at_pixels(
        self, pseudo: GridScores, index: int, sample: SegDataSample
    ) -> tuple[Tensor, Tensor]:
        """Scores of an image at its ``ori_shape``, see :meth:`TagSegmentor.scores_at_pixels`."""
        return pseudo.at(index, sample.ori_shape)

    def to_pixels(
        self, pseudo: GridScores, data_samples: list[SegDataSample]
    ) -> list[SegDataSample]:
        """Label images; scores go from the patches straight to each sample's ``ori_shape``."""
        for index, sample in enumerate(data_samples):
            stack, labels = self.scores_at_pixels(pseudo, index, sample)
            label = _flipped_back(labels[stack.argmax(dim=0)], sample)
            sample.pred_sem_seg = PixelData(data=label[None])
        return data_samples


def _flipped_back(label: Tensor, sample: SegDataSample) -> Tensor:
    """A label map (H, W) of a view that test-time augmentation has flipped."""
    if not sample.get('flip', False):
        return label
    return label.flip(-1 if sample.flip_direction == 'horizontal' else -2)
