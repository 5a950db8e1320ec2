"""TrainedSegmentor: an adapter and a decoder that learn from pseudo labels."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ..ops.resize import resize, resize_by_products
from .input_checks import check_images, check_samples, check_shapes
from .losses import DiversityLoss
from .lvc_adapter import LVCAdapter, predicted_affinity
from .pseudo_label import PseudoLabels
from .room_checks import check_trained_rooms
from .tag_segmentor import TagSegmentor, built, padding_of
from .tags import Tags
from .transformer_head import TransformerHead


@dataclass
class Phase:
    """What supervises a training iteration (docs/method.md, section 8).

    Attributes:
        dynamic: Whether maps and affinity are calibrated by the adapter.
        pairs_from_prediction: Whether the pair labels of the diversity loss come from the
            prediction instead of the pseudo label.
    """

    dynamic: bool = False
    pairs_from_prediction: bool = False


class TrainedSegmentor(TagSegmentor):
    """A :class:`TagSegmentor` whose labels supervise an adapter and a decoder.

    Reading -> adapter -> decode head -> logits -> losses. A method also says what its adapter sees
    (:meth:`fuse`) and along which colours scores are refined (:meth:`images01`).

    Args:
        adapter: :class:`LVCAdapter`.
        decode_head: :class:`TransformerHead`.
        loss_diversity: :class:`DiversityLoss`.
        **rooms: Of :class:`TagSegmentor`.
    """

    SOURCES = ('decoder', 'cam')

    def __init__(self, adapter: dict, decode_head: dict, loss_diversity: dict, **rooms) -> None:
        super().__init__(**rooms)
        clip = dict(in_channels=self.backbone.width, num_layers=self.num_adapter_layers)
        self.adapter = built('adapter', adapter, LVCAdapter, **clip)
        ends = dict(in_channels=self.adapter.channels, num_classes=self.num_classes)
        self.decode_head = built('decode_head', decode_head, TransformerHead, **ends)
        self.loss_diversity = built('loss_diversity', loss_diversity, DiversityLoss)
        self.align_corners = self.decode_head.align_corners
        self.phase = Phase()
        check_trained_rooms(self)

    # What a method is --------------------------------------------------------------------------

    @property
    @abstractmethod
    def num_adapter_layers(self) -> int:
        """How many layers of CLIP the adapter sees."""

    @abstractmethod
    def fuse(self, reading: Any) -> Tensor:
        """Adapter features G, (B, 256, g_h, g_w)."""

    @abstractmethod
    def images01(self, inputs: Tensor) -> Tensor:
        """Undo the normalisation: the RGB in 0..1 along whose colours scores are refined."""

    def rooms(self, trained: bool) -> list[nn.Module]:
        """What labels come from, without or with what was trained."""
        return super().rooms(trained) + ([self.adapter, self.decode_head] if trained else [])

    # Training ----------------------------------------------------------------------------------

    def loss(self, inputs: Tensor, data_samples: list[SegDataSample]) -> dict[str, Tensor]:
        """Losses of a batch (B, 3, S, S) whose samples carry ``gt_tags``."""
        return self.losses(inputs, self.tags_of(inputs, data_samples))

    def losses(self, inputs: Tensor, tags: Tags) -> dict[str, Tensor]:
        """Losses of a batch (B, 3, S, S), all computed where it is: nothing comes from the host."""
        reading = self.extract_feat(inputs)
        fused = self.fuse(reading)
        relation = self.adapter.relation_logits(fused, over_batch=True)

        # The method's one loop: adapter features calibrate the maps that supervise the adapter.
        dynamic = relation if self.phase.dynamic else None
        maps = self.maps(reading, tags, dynamic)
        labels = self.label(maps, reading, inputs, tags, dynamic).labels
        del reading  # before the decoder and the losses need as much

        logits = self.decode_head(fused)
        height, width = inputs.shape[2:]
        full = resize_by_products(logits, self.covered_by(logits))[..., :height, :width]
        loss_decode = self.decode_head.loss_decode
        pair_labels = full.max(dim=1).indices if self.phase.pairs_from_prediction else labels
        return {
            loss_decode.loss_name: loss_decode(full, labels),
            'loss_diversity': self.loss_diversity(
                predicted_affinity(relation), self._at_patches(pair_labels)
            ),
        }

    @torch.no_grad()
    def label(
        self,
        maps: Tensor,
        reading: Any,
        inputs: Tensor,
        tags: Tags,
        relation: Tensor | None = None,
    ) -> PseudoLabels:
        """Label the pixels of a batch, see :meth:`TagSegmentor.label`."""
        attention = self.attention(reading, dynamic=relation is not None)
        affinity = None if relation is None else predicted_affinity(relation)
        images = self.images01(self.padded(inputs))
        padded = self.pseudo_labeler(maps, attention, tags, images, affinity)
        return padded.cropped(inputs.shape[2:])

    def image_relation(self, reading: Any) -> Tensor:
        """Relation logits of each image by itself, (B, P, P), from CLIP on in float32."""
        with torch.autocast(next(self.adapter.parameters()).device.type, enabled=False):
            return self.adapter.relation_logits(self.fuse(reading), over_batch=False)

    # Inference ---------------------------------------------------------------------------------

    def predict(
        self, inputs: Tensor, data_samples: list[SegDataSample] | None = None
    ) -> list[SegDataSample]:
        """Segment a batch; results have each sample's ``ori_shape``."""
        if self.test_cfg['source'] == 'cam':
            return super().predict(inputs, data_samples)
        check_images(inputs)
        check_samples(data_samples, len(inputs))
        check_shapes(data_samples)
        self._check_class_names(data_samples or ())
        if data_samples is None or self.windows(inputs) is not None:
            return self.postprocess_result(self.encode_decode(inputs), data_samples)
        return self.segment(self.extract_feat(inputs, for_labels=False), inputs, data_samples)

    def segment(
        self, reading: Any, inputs: Tensor, data_samples: list[SegDataSample]
    ) -> list[SegDataSample]:
        """The decoder's labels of what was read, at each sample's ``ori_shape``.

        Patch logits are resized once, straight to the original image (method 9); logits of the
        inputs' pixels where there is padding to crop, here or by mmseg.
        """
        logits = self.unpadded(self.decode(reading), inputs.shape[2:])
        if any(any(padding_of(sample)) for sample in data_samples):
            logits = resize(logits, inputs.shape[2:])
        return self.postprocess_result(logits, data_samples)

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict] | None = None) -> Tensor:
        """Logits at the size of the inputs, (B, n+1, height, width)."""
        windows = self.windows(inputs)
        if windows is None:
            return self.whole_logits(inputs)
        return windows.average(self.whole_logits, inputs)

    def whole_logits(self, inputs: Tensor) -> Tensor:
        """Logits of images that are taken whole, at their size, (B, n+1, height, width)."""
        logits = self.lowres_logits(inputs)
        return resize(self.unpadded(logits, inputs.shape[2:]), inputs.shape[2:])

    def lowres_logits(self, inputs: Tensor) -> Tensor:
        """Logits of the patches, (B, n+1, g_h, g_w)."""
        check_images(inputs)
        return self.decode(self.extract_feat(inputs, for_labels=False))

    def decode(self, reading: Any) -> Tensor:
        """Logits of what was read, (B, n+1, g_h, g_w)."""
        return self.decode_head(self.fuse(reading))

    def _forward(self, inputs: Tensor, data_samples: list | None = None) -> Tensor:
        return self.lowres_logits(inputs)

    def _at_patches(self, labels: Tensor) -> Tensor:
        """Labels (B, S, S) at the patches' top-left pixels, (B, g_h, g_w)."""
        return labels[:, :: self.backbone.patch_size, :: self.backbone.patch_size]
