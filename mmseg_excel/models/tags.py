"""The tags of a batch, as host and device both know them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..ops.transfer import to_device


@dataclass(frozen=True)
class Tags:
    """Tags of a batch of images, whose numbers the host knows without asking a device.

    Attributes:
        classes: Class of each tag, int64 (B, K), K the most tags an image has, at least 1; an
            image's own come first, 0 stands behind them.
        present: Which of these are an image's own, boolean (B, K).
        counts: How many those are, one number an image.
    """

    classes: Tensor
    present: Tensor
    counts: tuple[int, ...]

    def labels(self) -> Tensor:
        """Labels of the background and the tags, (B, 1 + K); -1 behind an image's own."""
        return F.pad(torch.where(self.present, self.classes + 1, -1), (1, 0))

    def repeated(self, times: int) -> Tags:
        """The tags of a batch that holds these images so many times, one whole after the other."""
        return Tags(
            self.classes.repeat(times, 1), self.present.repeat(times, 1), self.counts * times
        )


def pack_tags(
    multi_hot: Sequence[Sequence[float]],
    device: torch.device | str,
    places: Sequence[Sequence[int] | None] | None = None,
) -> Tags:
    """Pack multi-hot tags.

    Args:
        multi_hot: B times n numbers.
        device: Of the packed tags.
        places: Per image, the place of each of the n classes among its tags, by which they are
            sorted; None for the order of the classes. Default: that order everywhere.
    """
    rows = [[index for index, tagged in enumerate(row) if tagged > 0] for row in multi_hot]
    for row, place in zip(rows, places or [None] * len(rows), strict=True):
        if place is not None:
            row.sort(key=place.__getitem__)
    most = max(1, *map(len, rows))
    packed = torch.tensor([row + [-1] * (most - len(row)) for row in rows])
    packed = to_device(packed, device)
    return Tags(packed.clamp(min=0), packed >= 0, tuple(map(len, rows)))
