"""Multi-scale inference (docs/method.md, section 9)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .clip import State, encode_image
from .decoder import AdapterAndDecoder

SIDES = (320, 224, 384, 480)


@torch.no_grad()
def multi_scale_logits(model: AdapterAndDecoder, clip: State, image: Tensor) -> Tensor:
    """Average the logits of all views of one normalised image (1, 3, H, W): (1, n + 1, H, W)."""
    size = image.shape[-2:]
    views = []
    for side in SIDES:
        for mirrored in (False, True):
            logits = view_logits(model, clip, image, side, mirrored)
            views.append(to_image(logits, size, mirrored))
    return torch.stack(views).mean(dim=0)


def view_logits(
    model: AdapterAndDecoder, clip: State, image: Tensor, side: int, mirrored: bool
) -> Tensor:
    """Return one view's logits (1, n + 1, side / 16, side / 16), not yet mirrored back."""
    view = F.interpolate(image, (side, side), mode='bilinear', align_corners=False)
    if mirrored:
        view = view.flip(-1)
    _, logits = model(encode_image(clip, view).outputs)
    return logits


def to_image(logits: Tensor, size: torch.Size, mirrored: bool) -> Tensor:
    """Resize one view's logits to the image and mirror them back."""
    logits = F.interpolate(logits, tuple(size), mode='bilinear', align_corners=False)
    return logits.flip(-1) if mirrored else logits
