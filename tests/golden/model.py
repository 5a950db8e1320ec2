"""The golden case as a model of ours: tiny CLIP, reference decoder weights, 16 attributes."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path

import numpy as np
import open_clip
import torch
from mmengine.structures import LabelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import register_all_modules

import mmseg_excel  # noqa: F401
from mmseg_excel.export.reference_names import from_reference
from mmseg_excel.models.tags import Tags, pack_tags

from .reference import decoder_state, golden_tensor, tiny_clip_state

MODEL_NAME = 'golden-tiny'
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


@functools.cache
def tiny_clip_file() -> str:
    """Write the golden CLIP as a plain state dict and register its configuration."""
    register_all_modules(init_default_scope=True)
    folder = Path(tempfile.mkdtemp())
    config = dict(
        embed_dim=64,
        quick_gelu=True,
        vision_cfg=dict(image_size=224, layers=12, width=128, patch_size=16, head_width=64),
        text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=3),
    )
    (folder / f'{MODEL_NAME}.json').write_text(json.dumps(config))
    open_clip.add_model_config(folder)
    torch.save(tiny_clip_state(), folder / 'clip.pt')
    return str(folder / 'clip.pt')


def golden_config(**changes) -> dict:
    """Model config of the golden case; rooms are changed by `room__field=value`."""
    config = dict(
        type='ExCEL',
        data_preprocessor=dict(
            type='AsyncDataPreProcessor',
            mean=MEAN,
            std=STD,
            bgr_to_rgb=True,
            pad_val=0,
            seg_pad_val=255,
        ),
        backbone=dict(type='FrozenCLIP', model=MODEL_NAME, pretrained=tiny_clip_file()),
        neck=dict(type='SVCNeck'),
        text_head=dict(type='AttributeTextHead', vocabulary='voc', mode='global'),
        adapter=dict(type='LVCAdapter'),
        decode_head=dict(
            type='TransformerHead',
            loss_decode=dict(type='BalancedCrossEntropyLoss'),
        ),
        pseudo_labeler=dict(type='PseudoLabeler'),
        loss_diversity=dict(type='DiversityLoss'),
    )
    for key, value in changes.items():
        room, field = key.split('__')
        config[room][field] = value
    return config


def build_golden_model(**changes) -> torch.nn.Module:
    """The golden model in evaluation mode (as the golden numbers were made)."""
    model = MODELS.build(golden_config(**changes))
    trained = {from_reference(name): tensor for name, tensor in decoder_state().items()}
    trained['text_head.class_texts'] = golden_tensor('text_attr').T
    missing, unexpected = model.load_state_dict(trained, strict=False)
    assert not missing and not unexpected
    return model.eval()


def golden_samples() -> list[SegDataSample]:
    """The tags of the two golden images."""
    samples = []
    for tags in golden_tensor('cls_labels'):
        sample = SegDataSample()
        sample.gt_tags = LabelData(multi_hot=tags)
        samples.append(sample)
    return samples


def golden_tags(device: torch.device) -> Tags:
    """The same, packed on a device."""
    return pack_tags(golden_tensor('cls_labels').tolist(), device)


def max_error(ours: torch.Tensor, reference: torch.Tensor | np.ndarray) -> float:
    """Largest absolute difference from numbers on the CPU."""
    return (ours.detach().cpu() - torch.as_tensor(np.asarray(reference))).abs().max().item()
