"""TransformerHead: the decode head."""

from __future__ import annotations

import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from open_clip.transformer import LayerNorm, QuickGELU, ResidualAttentionBlock
from torch import Tensor, nn

from ..clip.transformer_block import run_block
from ..utils.bad_input import BadInput
from ..utils.checks import check_flag, check_keys, check_number, check_whole, shown
from ..utils.room import check_init_cfg
from . import ranges

BASE_SETTINGS = tuple(
    'num_classes loss_decode dropout_ratio align_corners ignore_index init_cfg'.split()
)
MOST_LABELS = 255  # label maps are uint8, and 255 means "ignored"


@MODELS.register_module()
class TransformerHead(BaseDecodeHead):
    """Three CLIP-style transformer blocks and a 1x1 convolution (docs/method.md, section 6).

    Args:
        in_channels: Width of G. A segmentor tells it, and num_classes, by adapter and texts.
        num_layers: Transformer blocks. Default: 3.
        num_heads: Attention heads a block. Default: 8.
        **kwargs: Of mmseg's ``BaseDecodeHead``: ``num_classes`` (n + 1), ``loss_decode``,
            ``dropout_ratio``, ``align_corners``, ``ignore_index`` and ``init_cfg``.
    """

    def __init__(self, in_channels: int, num_layers: int = 3, num_heads: int = 8, **kwargs) -> None:
        check_whole('TransformerHead.in_channels', in_channels, ranges.WIDTH)
        check_whole('TransformerHead.num_layers', num_layers, '[1, 256]')
        check_whole('TransformerHead.num_heads', num_heads, '[1, 256]')
        if in_channels % num_heads:
            raise BadInput(
                f'TransformerHead.num_heads is {num_heads}, which does not divide in_channels '
                f'({in_channels}).'
            )
        _check_others(kwargs)
        # PyTorch's own initialisation and no dropout, as in the reference.
        kwargs = dict(init_cfg=None, dropout_ratio=0.0, align_corners=False) | kwargs
        super().__init__(in_channels, channels=in_channels, **kwargs)
        self.blocks = nn.ModuleList(
            ResidualAttentionBlock(
                in_channels, num_heads, act_layer=QuickGELU, norm_layer=LayerNorm
            )
            for _ in range(num_layers)
        )

    def forward(self, fused: Tensor) -> Tensor:
        """Classify patches: G (B, 256, g_h, g_w) -> logits (B, n+1, g_h, g_w)."""
        # Under autocast the layers' products are rounded, neither their sum nor the logits are.
        tokens = fused.float().flatten(2).transpose(1, 2)
        for block in self.blocks:
            tokens = run_block(block, tokens).output
        with torch.autocast(tokens.device.type, enabled=False):
            return self.cls_seg(tokens.transpose(1, 2).unflatten(2, fused.shape[2:]))


def _check_others(settings: dict) -> None:
    """Check those settings of BaseDecodeHead's that have an effect; there may be no others."""
    check_keys('TransformerHead', settings, BASE_SETTINGS)
    check_init_cfg('TransformerHead', settings.get('init_cfg'))
    check_whole('TransformerHead.num_classes', settings.get('num_classes'), f'[2, {MOST_LABELS}]')
    check_number('TransformerHead.dropout_ratio', settings.get('dropout_ratio', 0), '[0, 1)')
    check_flag('TransformerHead.align_corners', settings.get('align_corners', False))
    check_whole('TransformerHead.ignore_index', settings.get('ignore_index', 255), '[0, 255]')
    if isinstance(settings.get('loss_decode'), list | tuple):
        raise BadInput(
            f'TransformerHead.loss_decode is {shown(settings["loss_decode"])}, but must be the '
            'dict of a single loss.'
        )
