"""LabelMap: labels with their names and colours."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..utils.atomic import write_atomically
from .panel import paint_labels

IGNORED = 255


@dataclass(frozen=True)
class LabelMap:
    """Labels of one image.

    Args:
        labels: (H, W) uint8: 0 background, class c as c + 1, 255 ignored.
        classes: Names of the labels, background first, (n+1,).
        palette: Their RGB colours.
    """

    labels: np.ndarray
    classes: Sequence[str]
    palette: Sequence[Sequence[int]]

    def paint(self) -> np.ndarray:
        """RGB picture (H, W, 3); ignored pixels are white."""
        return paint_labels(self.labels, self.palette)

    def overlay(self, pixels: np.ndarray, opacity: float = 0.6) -> np.ndarray:
        """The classes' colours over an RGB picture (H, W, 3), which shows where there is none."""
        weight = np.where((self.labels > 0) & (self.labels != IGNORED), opacity, 0.0)[..., None]
        return np.rint(weight * self.paint() + (1 - weight) * pixels).astype(np.uint8)

    def shares(self) -> dict[str, float]:
        """Share of the pixels of each label that occurs, largest first."""
        counts = np.bincount(self.labels.ravel(), minlength=256)[: len(self.classes)]
        order = np.argsort(-counts, kind='stable')
        return {self.classes[i]: counts[i] / self.labels.size for i in order if counts[i]}

    def colour(self, name: str) -> tuple[int, int, int]:
        """RGB colour of a label."""
        red, green, blue = self.palette[list(self.classes).index(name)]
        return red, green, blue

    def save(self, path: str | Path) -> None:
        """Write a palette PNG, as VOC's masks are: pixel values are the labels."""
        colours = np.full((256, 3), 255, np.uint8)
        colours[: len(self.palette)] = self.palette
        image = Image.fromarray(self.labels)
        image.putpalette(colours.tobytes())
        buffer = io.BytesIO()
        image.save(buffer, format='PNG')
        write_atomically(path, buffer.getvalue())
