"""LVCAdapter: learnable visual calibration."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..ops.token_mlps import token_mlps
from ..utils.bad_input import BadInput
from ..utils.checks import check_number, check_whole
from ..utils.distributed import global_mean
from ..utils.room import Room
from . import ranges


@MODELS.register_module()
class LVCAdapter(Room):
    """Learnable visual calibration (docs/method.md, section 6).

    One small MLP a layer, fused by a 1x1 convolution into features G whose cosine similarities
    say which patches belong together.

    Args:
        in_channels: Width D of CLIP's tokens. A segmentor tells it, and num_layers, by its CLIP.
        num_layers: How many of CLIP's layers it sees.
        channels: Width of G. Default: 256.
        dropout: Probability that Dropout2d drops a channel of G. Default: 0.1.
        alpha: Scaling factor α (supplement, Table 1d). Default: 3.0.
        beta: Shifting factor β (supplement, Table 1e). Default: 1.0.
    """

    def __init__(
        self,
        in_channels: int,
        num_layers: int,
        channels: int = 256,
        dropout: float = 0.1,
        alpha: float = 3.0,
        beta: float = 1.0,
        init_cfg=None,
    ) -> None:
        super().__init__(init_cfg)
        check_whole('LVCAdapter.in_channels', in_channels, ranges.WIDTH)
        check_whole('LVCAdapter.channels', channels, ranges.WIDTH)
        check_whole('LVCAdapter.num_layers', num_layers, '[1, 256]')
        check_number('LVCAdapter.dropout', dropout, '[0, 1)')
        check_number('LVCAdapter.alpha', alpha, '(0, 1e6]')
        check_number('LVCAdapter.beta', beta, '[0, 1e6]')
        self.in_channels = in_channels
        self.channels = channels
        self.alpha = alpha
        self.beta = beta
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Linear(in_channels, channels), nn.ReLU(), nn.Linear(channels, channels)
            )
            for _ in range(num_layers)
        )
        self.fuse = nn.Conv2d(num_layers * channels, channels, kernel_size=1)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, features: Sequence[Tensor], grid: tuple[int, int]) -> Tensor:
        """Fuse L layer outputs (B, P, D) into G, (B, 256, g_h, g_w).

        Raises:
            BadInput: CLIP has another number of layers.
        """
        if len(features) != len(self.layers):
            raise BadInput(
                f'LVCAdapter.num_layers is {len(self.layers)}, but CLIP has {len(features)} '
                f'layers: set num_layers={len(features)}.'
            )
        adapted = token_mlps(features, self.layers).unflatten(2, grid)
        return self.dropout(self.fuse(adapted))

    def relation_logits(self, fused: Tensor, over_batch: bool) -> Tensor:
        """α (cos − β · mean(cos)) between all patches of an image.

        Args:
            fused: G, (B, 256, g_h, g_w).
            over_batch: Whether the mean runs over the whole batch, of all processes (training),
                or over each image alone (inference: an answer must not depend on its neighbours).

        Returns:
            (B, P, P).
        """
        unit = F.normalize(fused.flatten(2).float(), dim=1)
        # A relation's sign decides whether patches belong together: autocast would round it.
        with torch.autocast(fused.device.type, enabled=False):
            cosine = unit.transpose(1, 2) @ unit
        mean = global_mean(cosine) if over_batch else cosine.mean(dim=(1, 2), keepdim=True)
        return self.alpha * (cosine - self.beta * mean)


def predicted_affinity(relation_logits: Tensor) -> Tensor:
    """The affinity the diversity loss trains, (B, P, P) in 0..1, differentiable (method 6)."""
    return relation_logits.sigmoid()


@torch.no_grad()
def dynamic_relation(relation_logits: Tensor) -> Tensor:
    """R, the relation that calibrates attention dynamically, (B, P, P) (method 6).

    Patches less alike than the mean are unrelated. A patch related to none, itself included
    (possible only for β > 1), is not shifted.
    """
    masked = relation_logits.masked_fill(relation_logits < 0, -torch.inf)
    return masked.softmax(dim=-1).nan_to_num(0.0)
