"""TransformerHead: the decode head."""

from __future__ import annotations

import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from open_clip.transformer import LayerNorm, QuickGELU, ResidualAttentionBlock
from torch import Tensor, nn

from .transformer_block import run_block


@MODELS.register_module()
class TransformerHead(BaseDecodeHead):
    """Three CLIP-style transformer blocks and a 1x1 convolution (docs/method.md, section 6).

    Args:
        in_channels: Width of G. Default: 256.
        num_layers: Transformer blocks. Default: 3.
        num_heads: Attention heads a block. Default: 8.
        **kwargs: ``num_classes`` (n + 1), ``loss_decode`` and the rest of mmseg's
            ``BaseDecodeHead``.
    """

    def __init__(
        self, in_channels: int = 256, num_layers: int = 3, num_heads: int = 8, **kwargs
    ) -> None:
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
