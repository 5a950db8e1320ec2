"""What an inferencer is asked about, and what it answers."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmseg.structures import SegDataSample
from torch import Tensor

from ..clip.frozen_clip import CLIPTrace
from ..models.settings import Settings
from ..utils.atomic import write_atomically
from ..utils.bad_input import BadInput
from ..utils.checks import shown
from .inputs import check_folder
from .label_map import LabelMap
from .panel import save_panel


@dataclass(frozen=True)
class EncodedImage:
    """An image that has passed CLIP once and can be asked again and again.

    Attributes:
        name: File stem, or a number.
        pixels: As given, uint8 RGB, (H, W, 3).
        inputs: As the network sees it, normalised, (1, 3, S, S).
        sample: What the pipeline says of it: its size, and how it was resized and padded.
        trace: CLIP's computation on it.
    """

    name: str
    pixels: np.ndarray
    inputs: Tensor
    sample: SegDataSample
    trace: CLIPTrace

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.pixels.shape[:2]


@dataclass(frozen=True)
class Answer:
    """What the model sees in one image.

    Attributes:
        image: The image.
        tags: The K classes asked for.
        maps: Their class activation maps at the image's size, (K, H, W) float32 in 0..1.
        pseudo_label: Labels of the pixels made from the maps.
        prediction: The decoder's labels, in the classes it was trained on; None without a
            checkpoint.
        settings: How it was asked.
    """

    image: EncodedImage
    tags: tuple[str, ...]
    maps: np.ndarray
    pseudo_label: LabelMap
    prediction: LabelMap | None
    settings: Settings

    def save(self, folder: str | Path, caption: str = '') -> None:
        """Write label maps as palette PNGs, maps as one NPZ, and a panel of them all.

        Files are named after the image: ``NAME_pseudo_label.png``, ``NAME_prediction.png``,
        ``NAME_maps.npz`` (``tags`` and ``maps``) and ``NAME_panel.png``.
        """
        check_folder(folder, [self.image.name])
        if not isinstance(caption, str):
            raise BadInput(f'caption is {shown(caption)}, but must be a text.')
        stem = Path(folder) / self.image.name
        self.pseudo_label.save(f'{stem}_pseudo_label.png')
        titles = ['image', *self.tags, 'pseudo label']
        pictures = [self.image.pixels, *self.maps, self.pseudo_label.paint()]
        if self.prediction is not None:
            self.prediction.save(f'{stem}_prediction.png')
            titles.append('prediction')
            pictures.append(self.prediction.paint())
        content = io.BytesIO()
        np.savez_compressed(content, tags=np.array(self.tags, dtype=str), maps=self.maps)
        write_atomically(f'{stem}_maps.npz', content.getvalue())
        save_panel(f'{stem}_panel.png', titles, [('', pictures)], caption)
