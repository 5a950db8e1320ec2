"""The golden case of WeCLIP as a model of ours: tiny CLIP, the first eleven adapter layers."""

from __future__ import annotations

import torch
from mmseg.registry import MODELS
from torch import Tensor

from mmseg_excel.export.reference_names import from_reference

from .family import tensor
from .model import golden_config
from .reference import decoder_state

NUM_LAYERS = 11
FUSE = 'decoder_fts_fuse.linear_fuse.weight'


def weclip_config() -> dict:
    """Model config of the golden case."""
    config = golden_config()
    del config['neck']
    return config | dict(
        type='WeCLIP',
        text_head=dict(type='GradientCAMHead', vocabulary='voc'),
        adapter=dict(type='InnerProductAdapter'),
        pseudo_labeler=dict(type='PseudoLabeler', box_threshold=0.4),
    )


def weclip_decoder_state() -> dict[str, Tensor]:
    """Trained tensors under the reference's names."""
    state = {k: v for k, v in decoder_state().items() if 'modulelist.11.' not in k}
    return state | {FUSE: state[FUSE][:, : NUM_LAYERS * 256].clone()}


def build_weclip_model() -> torch.nn.Module:
    """The golden model in evaluation mode (as the golden numbers were made)."""
    model = MODELS.build(weclip_config())
    trained = {from_reference(name): value for name, value in weclip_decoder_state().items()}
    trained['text_head.class_texts'] = tensor('weclip', 'text_features')
    missing, unexpected = model.load_state_dict(trained, strict=False)
    assert not missing and not unexpected
    return model.eval()
