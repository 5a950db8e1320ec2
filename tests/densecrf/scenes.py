"""Small photographs with masks and soft predictions, and CRFs that misbehave."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_excel.densecrf import DenseCRF

CLASSES = tuple(f'class{i}' for i in range(21))


@dataclass
class Scene:
    """A photograph on disk and a prediction of it."""

    path: str
    mask: np.ndarray
    probabilities: Tensor


def write_scene(folder: Path, index: int) -> Scene:
    """Coloured blobs with noise, of a size of their own, in VOC's layout."""
    generator = torch.Generator().manual_seed(index)
    size = (40 + 7 * (index % 3), 50 + 5 * (index % 4))
    scores = 4 * torch.randn(1, 21, 5, 5, generator=generator)
    probabilities = F.interpolate(scores, size, mode='bilinear')[0].softmax(0)
    mask = probabilities.argmax(0).numpy().astype(np.uint8)
    colours = torch.randint(0, 256, (21, 3), generator=generator).numpy()
    noise = torch.randint(-9, 10, (*size, 3), generator=generator).numpy()
    image = (colours[mask] + noise).clip(0, 255).astype(np.uint8)
    for name, picture in (('JPEGImages', image), ('SegmentationClass', mask)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name / f'{index:03d}.png'), picture)
    return Scene(str(folder / 'JPEGImages' / f'{index:03d}.png'), mask, probabilities)


class SlowCRF(DenseCRF):
    """Takes its time."""

    def refine(self, image, probabilities):
        time.sleep(0.5)
        return super().refine(image, probabilities)


class DeadlyCRF(DenseCRF):
    """Ends its process at images 54 pixels high."""

    def refine(self, image, probabilities):
        if image.shape[0] == 54:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().refine(image, probabilities)
