"""Which layer outputs an adapter sees."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from ..clip.frozen_clip import CLIPTrace
from .svc_neck import Calibration


def clean_features(trace: CLIPTrace, num_layers: int) -> list[Tensor]:
    """Patch tokens of the first layers' outputs, each (B, P, D)."""
    return _patches(block.output for block in trace.blocks[:num_layers])


def features_changed_in_place(calibration: Calibration) -> list[Tensor]:
    """Patch tokens of every layer as ExCEL's adapter sees them, L times (B, P, D).

    The layer before the first calibrated block shows the calibrated stream itself; from the first
    calibrated block on, a layer carries the attention residual of the *next* block
    (docs/method.md, section 6, "which layer outputs").
    """
    blocks = calibration.trace.blocks
    first = len(blocks) - calibration.num_layers
    features = [block.output for block in blocks]
    if calibration.num_layers and first:
        features[first - 1] = calibration.tokens
    for layer in range(first, len(features) - 1):
        features[layer] = blocks[layer + 1].attended
    return _patches(features)


def _patches(layers: Iterable[Tensor]) -> list[Tensor]:
    return [tokens[:, 1:] for tokens in layers]
