"""The golden case of each method, on the fake device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.structures import LabelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from ..golden.model import golden_config
from ..golden.weclip_model import weclip_config

TAGS = ([3, 7], [], [0, 4, 9], [1])


def build(method: str) -> torch.nn.Module:
    """A segmentor with class texts, on the CPU."""
    model = MODELS.build(_CONFIGS[method]())
    model.text_head.encoded = True
    return model


def _clip_es_config() -> dict:
    config = golden_config()
    return dict(
        type='CLIPES',
        data_preprocessor=config['data_preprocessor'],
        backbone=config['backbone'],
        text_head=dict(type='GradientCAMHead', vocabulary='voc', in_channels=64),
        pseudo_labeler=dict(type='HalfScoreLabeler'),
    )


_CONFIGS = dict(ExCEL=golden_config, WeCLIP=weclip_config, CLIPES=_clip_es_config)
METHODS = tuple(_CONFIGS)
TRAINED = METHODS[:2]


def batch(side: int = 320, tags: Sequence[Sequence[int]] = TAGS) -> dict:
    """Photographs as a loader gives them, bytes on the host, with tags and masks."""
    samples = []
    for own in tags:
        multi_hot = torch.zeros(20)
        multi_hot[list(own)] = 1
        sample = SegDataSample(metainfo=dict(ori_shape=(375, 500), img_path='cat.jpg'))
        sample.gt_tags = LabelData(metainfo=dict(multi_hot=multi_hot))
        samples.append(sample)
    images = [torch.zeros(3, side, side, dtype=torch.uint8) for _ in tags]
    return dict(inputs=images, data_samples=samples)
