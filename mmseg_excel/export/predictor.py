"""The trained predictor by itself: what an application needs of a segmentor."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ..models.trained_segmentor import TrainedSegmentor
from ..ops.resize import resize

# A program is of no size in particular, but what it is recorded with is.
_RECORDED = (2, 3, 75, 91)


class Predictor(nn.Module):
    """Logits of pictures that are taken whole.

    Args:
        model: A trained segmentor, on the CPU.
    """

    def __init__(self, model: TrainedSegmentor) -> None:
        super().__init__()
        self.model = model.eval()
        self.tower = model.backbone.tower  # which the model keeps out of its weights

    def forward(self, images: Tensor) -> Tensor:
        """Grey levels of RGB pictures, (B, 3, H, W) in 0..255 -> logits (B, n+1, H, W)."""
        model = self.model
        logits = model.decode(model.extract_feat(self.normalised(images), for_labels=False))
        pixels = resize(logits, model.covered_by(logits))
        # Not sliced: a program with slices would be for pictures alone that need padding.
        for axis in (2, 3):
            pixels = pixels.index_select(axis, torch.arange(images.shape[axis]))
        return pixels

    def normalised(self, images: Tensor) -> Tensor:
        """What the segmentor takes, of what this takes."""
        processor = self.model.data_preprocessor
        return (images - processor.mean) / processor.std


@torch.no_grad()
def record(predictor: Predictor) -> ExportedProgram:
    """Record a program of a predictor, for any number of pictures of any size."""
    sizes = {axis: Dim.DYNAMIC for axis in (0, 2, 3)}
    images = torch.zeros(_RECORDED)
    return torch.export.export(predictor, (images,), dynamic_shapes=(sizes,), strict=False)
