"""SVCNeck: static visual calibration of CLIP's tokens, without parameters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor

from ..clip.frozen_clip import CLIPTrace
from ..clip.transformer_block import BlockTrace
from ..ops.attention import sum_heads
from ..ops.token_linear import token_linear
from ..utils.bad_input import BadInput
from ..utils.checks import check_choice, check_whole
from ..utils.room import Room
from . import ranges

# What is compared with what in the calibrated attention, head by head; the three parts of 'qkv'
# have equal weights w_i (method 3).
SIMILARITIES = {
    'qkv': ('qkv', 'qkv'),
    'q-q': ('q', 'q'),
    'k-k': ('k', 'k'),
    'v-v': ('v', 'v'),
    'q-k': ('q', 'k'),
}


@dataclass
class Calibration:
    """CLIP's tokens after static visual calibration.

    Attributes:
        trace: The trace it was made from.
        tokens: The calibrated stream s that enters ``ln_post``, (B, N, D), class token of x.
        values: What R shifts the tokens along: Σ_l v_l W_Oᵀ over calibrated blocks, (B, N, D).
        num_layers: Number of calibrated blocks.
    """

    trace: CLIPTrace
    tokens: Tensor
    values: Tensor
    num_layers: int

    def embeddings(self) -> Tensor:
        """F, the image features in the joint space, (B, N, C)."""
        return self._embed(self.tokens)

    def shifted_embeddings(self, relation: Tensor) -> Tensor:
        """F when the relation R is added to every head's calibrated attention (method 6).

        The calibrated stream has no MLP and the original one does not see R, so no second pass
        through CLIP is needed: s += H · R · Σ_l v_l W_Oᵀ on the patches.

        Args:
            relation: R, (B, P, P), rows summing to one.
        """
        shift = self.trace.num_heads * product_in_float32(relation, self.values[:, 1:])
        class_token, patches = self.tokens.split([1, shift.shape[1]], dim=1)
        return self._embed(torch.cat([class_token, patches + shift], dim=1))

    def _embed(self, tokens: Tensor) -> Tensor:
        """Project and divide by the norm over the *token* axis (method 3), never in bf16."""
        with torch.autocast(tokens.device.type, enabled=False):
            return F.normalize(self.trace.project(tokens), dim=1)


def product_in_float32(a: Tensor, b: Tensor) -> Tensor:
    """Multiply float32, a b, without the rounding of autocast, from which labels would suffer."""
    with torch.autocast(a.device.type, enabled=False):
        return a @ b


@MODELS.register_module()
class SVCNeck(Room):
    """Static visual calibration (docs/method.md, section 3; ExCEL supplement, Tables 1c and 2b).

    Args:
        num_layers: How many of the last blocks are calibrated, N_svc. 0 is plain CLIP.
            Default: 5.
        mode: Which similarities make the attention: ``'qkv'`` (default), ``'q-q'``, ``'k-k'``,
            ``'v-v'`` or ``'q-k'``. ``mode='v-v', num_layers=1`` is MaskCLIP.
        num_attention: How many of the last attention maps are kept for the affinity. Default: 6.
    """

    def __init__(
        self, num_layers: int = 5, mode: str = 'qkv', num_attention: int = 6, init_cfg=None
    ) -> None:
        super().__init__(init_cfg)
        check_whole('SVCNeck.num_layers', num_layers, ranges.CALIBRATED_BLOCKS)
        check_choice('SVCNeck.mode', mode, SIMILARITIES)
        check_whole('SVCNeck.num_attention', num_attention, '[1, 256]')
        self.num_layers = num_layers
        self.mode = mode
        self.num_attention = num_attention

    @property
    def num_inner(self) -> int:
        """How many of the last blocks it looks into."""
        return max(self.num_layers, self.num_attention)

    @torch.no_grad()
    def forward(self, trace: CLIPTrace) -> Calibration:
        """Run the calibrated stream beside the traced one."""
        first = len(trace.blocks) - self.num_layers
        if first < 0:
            raise BadInput(
                f'SVCNeck.num_layers is {self.num_layers}, but CLIP has {len(trace.blocks)} blocks.'
            )
        tokens = trace.blocks[first - 1].output if first else trace.tokens
        values = torch.zeros_like(tokens)
        for block in trace.blocks[first:]:
            # Ē (v W_Oᵀ) is (Ē v) W_Oᵀ; projected first, the values serve `shifted_embeddings` too.
            projected = token_linear(block.qkv.chunk(3, dim=-1)[2], block.out_proj.weight).float()
            attention = self._calibrated_attention(block, trace.num_heads)
            tokens = tokens + product_in_float32(attention, projected) + block.out_proj.bias
            values += projected
        tokens = torch.cat([trace.blocks[-1].output[:, :1], tokens[:, 1:]], dim=1)
        return Calibration(
            trace=trace,
            tokens=tokens,
            values=values,
            num_layers=self.num_layers,
        )

    def _calibrated_attention(self, block: BlockTrace, num_heads: int) -> Tensor:
        """Ē_l = Σ_heads Σ_i w_i softmax(i iᵀ/√d), (B, N, N)."""
        a, b = (block.heads(which, num_heads) for which in SIMILARITIES[self.mode])
        return sum_heads(a, b, parts=a.shape[1] // num_heads)
