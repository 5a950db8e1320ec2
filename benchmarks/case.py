"""The case everything is measured on: random CLIP weights, random scenes, both implementations."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import open_clip
import torch
import torch.nn.functional as F
from mmengine.structures import LabelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import register_all_modules
from torch import Tensor

from benchmarks.literal.clip import State
from benchmarks.literal.decoder import AdapterAndDecoder
from benchmarks.literal.images import MEAN, STD, normalise
from mmseg_excel.export.reference_names import from_reference
from mmseg_excel.models.excel import ExCEL
from mmseg_excel.models.tags import Tags, pack_tags

NUM_CLASSES, NUM_TEXTS = 20, 45


@dataclass
class Case:
    """One batch and one set of weights for both implementations.

    Attributes:
        ours: The model of `mmseg_excel`.
        literal: Adapter and decoder of the literal implementation, the same weights.
        clip: Weights of the model's frozen tower under OpenAI's names.
        texts: Class texts, (T, C).
        images: Normalised images, (B, 3, S, S).
        tags: Multi-hot tags, (B, n).
    """

    ours: ExCEL
    literal: AdapterAndDecoder
    clip: State
    texts: Tensor
    images: Tensor
    tags: Tensor

    @property
    def samples(self) -> list[SegDataSample]:
        """The tags as mmseg hands them over."""
        return samples_with(self.tags)

    @property
    def packed(self) -> Tags:
        """The tags as the model's rooms take them."""
        return pack_tags(self.tags.tolist(), self.images.device)


def build_case(
    model: str = 'ViT-B-16-quickgelu',
    batch: int = 4,
    side: int = 320,
    tags_per_image: int = 2,
    device: str | torch.device = 'cpu',
) -> Case:
    """Build a case with random weights of an open_clip model."""
    torch.manual_seed(0)
    ours = _build_model(model).to(device).train()
    tower = ours.backbone.tower.state_dict()
    literal = AdapterAndDecoder(tower['class_embedding'].numel(), NUM_CLASSES + 1).to(device)
    mine = ours.state_dict()
    literal.load_state_dict({name: mine[from_reference(name)] for name in literal.state_dict()})
    return Case(
        ours,
        literal,
        {f'visual.{name}': weight for name, weight in tower.items()},
        ours.text_head.class_texts,
        normalise(random_scenes(batch, side)).to(device),
        random_tags(batch, NUM_CLASSES, tags_per_image).to(device),
    )


def _build_model(name: str) -> ExCEL:
    register_all_modules(init_default_scope=True)
    tower = open_clip.create_model(name, pretrained=None).visual
    width, channels = tower.proj.shape
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / 'clip.pt'
        torch.save({f'visual.{k}': v.half() for k, v in tower.state_dict().items()}, weights)
        model = MODELS.build(_config(name, str(weights), width, channels))
    model.text_head.class_texts.copy_(F.normalize(torch.randn(NUM_TEXTS, channels), dim=1))
    model.text_head.encoded = True
    return model


def _config(name: str, weights: str, width: int, channels: int) -> dict:
    return dict(
        type='ExCEL',
        data_preprocessor=dict(type='AsyncDataPreProcessor', mean=MEAN, std=STD, bgr_to_rgb=True),
        backbone=dict(type='FrozenCLIP', model=name, pretrained=weights),
        neck=dict(type='SVCNeck'),
        text_head=dict(
            type='AttributeTextHead', vocabulary='voc', in_channels=channels, mode='global'
        ),
        adapter=dict(type='LVCAdapter', in_channels=width),
        decode_head=dict(
            type='TransformerHead',
            num_classes=NUM_CLASSES + 1,
            loss_decode=dict(type='BalancedCrossEntropyLoss'),
        ),
        pseudo_labeler=dict(type='PseudoLabeler'),
        loss_diversity=dict(type='DiversityLoss'),
    )


def random_scenes(count: int, side: int) -> Tensor:
    """Soft coloured areas with a little noise: RGB bytes, (count, 3, side, side)."""
    areas = F.interpolate(
        torch.rand(count, 3, 6, 6), size=(side, side), mode='bicubic', align_corners=False
    )
    steps = (areas * 4).round() / 4
    noisy = steps + 0.03 * torch.randn_like(steps)
    return (noisy.clamp(0, 1) * 255).to(torch.uint8)


def samples_with(tags: Tensor) -> list[SegDataSample]:
    """One sample for each row of multi-hot tags (B, n)."""
    samples = [SegDataSample() for _ in tags]
    for sample, multi_hot in zip(samples, tags.cpu(), strict=True):
        sample.gt_tags = LabelData(metainfo=dict(multi_hot=multi_hot))
    return samples


def random_tags(batch: int, num_classes: int, per_image: int) -> Tensor:
    """Multi-hot tags (batch, num_classes), `per_image` of each."""
    chosen = torch.rand(batch, num_classes).topk(per_image, dim=1).indices
    return torch.zeros(batch, num_classes).scatter_(1, chosen, 1)
