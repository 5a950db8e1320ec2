"""The two losses of ExCEL (docs/method.md, section 8)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..utils.bad_input import BadInput
from ..utils.checks import check_number, check_whole, shown
from ..utils.distributed import share_of_global_mean

LOSS_WEIGHT = '[0, 1e6]'


def _check_loss_name(setting: str, name: str) -> None:
    if not isinstance(name, str) or 'loss' not in name:
        raise BadInput(
            f"{setting} is {shown(name)}, but must hold the word 'loss': MMEngine only logs others "
            'and does not train with them.'
        )


@MODELS.register_module()
class BalancedCrossEntropyLoss(nn.Module):
    """Cross entropy in which background and foreground weigh the same.

    Half the mean over pixels labelled background plus half the mean over pixels labelled
    foreground; the batch of all processes counts as one.

    Args:
        loss_weight: Default: 1.0.
        loss_name: Name in the log. Default: ``'loss_seg'``.
    """

    EPSILON = 1e-6

    def __init__(self, loss_weight: float = 1.0, loss_name: str = 'loss_seg') -> None:
        super().__init__()
        check_number('BalancedCrossEntropyLoss.loss_weight', loss_weight, LOSS_WEIGHT)
        _check_loss_name('BalancedCrossEntropyLoss.loss_name', loss_name)
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self, logits: Tensor, label: Tensor, weight: Tensor | None = None, ignore_index: int = 255
    ) -> Tensor:
        """Compare logits (B, n+1, S, S) with labels (B, S, S); `weight` is mmseg's and unused."""
        entropy = F.cross_entropy(
            logits.float(), label.long(), reduction='none', ignore_index=ignore_index
        )
        background = label == 0
        foreground = ~background & (label != ignore_index)
        means = [
            share_of_global_mean((entropy * chosen).sum(), chosen.sum(), self.EPSILON)
            for chosen in (background, foreground)
        ]
        return self.loss_weight * 0.5 * sum(means)


@MODELS.register_module()
class DiversityLoss(nn.Module):
    """Pulls the predicted affinity of near patches towards "same pseudo label".

    Args:
        radius: Pairs farther apart than this Chebyshev distance in patches are ignored.
            Default: 8.
        loss_weight: Weight γ (supplement, Table 1f). Default: 0.1.
        ignore_index: Patches with this label are ignored. Default: 255.
    """

    def __init__(self, radius: int = 8, loss_weight: float = 0.1, ignore_index: int = 255) -> None:
        super().__init__()
        check_whole('DiversityLoss.radius', radius, '[0, 10000]')
        check_number('DiversityLoss.loss_weight', loss_weight, LOSS_WEIGHT)
        check_whole('DiversityLoss.ignore_index', ignore_index, '[0, 255]')
        self.radius = radius
        self.loss_weight = loss_weight
        self.ignore_index = ignore_index

    def forward(self, affinity: Tensor, label: Tensor) -> Tensor:
        """Compare affinities (B, P, P) with pseudo labels (B, g_h, g_w)."""
        positive, negative = self.pairs(label)
        affinity = affinity.float()
        means = [
            share_of_global_mean(((1 - affinity) * positive).sum(), positive.sum(), 1),
            share_of_global_mean((affinity * negative).sum(), negative.sum(), 1),
        ]
        return self.loss_weight * 0.5 * sum(means)

    def pairs(self, label: Tensor) -> tuple[Tensor, Tensor]:
        """Masks (B, P, P) of near pairs with the same and with different labels."""
        flat = label.flatten(1)
        valid = flat != self.ignore_index
        counted = self._near(label.shape[-2:], label.device)
        counted = counted & valid[:, :, None] & valid[:, None, :]
        same = flat[:, :, None] == flat[:, None, :]
        return counted & same, counted & ~same

    def _near(self, grid: tuple[int, int], device: torch.device) -> Tensor:
        """Pairs of patches within the radius, (P, P)."""
        rows, columns = (
            axis.flatten()
            for axis in torch.meshgrid(
                *(torch.arange(side, device=device) for side in grid), indexing='ij'
            )
        )
        return ((rows[:, None] - rows).abs() <= self.radius) & (
            (columns[:, None] - columns).abs() <= self.radius
        )
