"""Real photographs with masks, and predictions of them like a trained network's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

# A data set in VOC's layout, JPEGImages/*.jpg and SegmentationClass/*.png: docs/own_data.md.
DEFAULT_DATA = Path('data/msrc_v2')
GRID = 20
VOC_SIZE = (375, 500)


@dataclass(frozen=True)
class Photograph:
    """A photograph and its mask on disk."""

    image_path: Path
    mask_path: Path

    def mask(self) -> np.ndarray:
        """Labels, uint8 (H, W); void pixels have the label of the nearest labelled one."""
        mask = np.array(Image.open(self.mask_path))
        void = (mask == 255).astype(np.uint8)
        if void.all():
            return np.zeros_like(mask)
        _, nearest = cv2.distanceTransformWithLabels(
            void, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        label_of = np.zeros(nearest.max() + 1, np.uint8)
        label_of[nearest[void == 0]] = mask[void == 0]
        return label_of[nearest]


def find_photographs(data: Path, count: int) -> list[Photograph]:
    """`count` photographs with masks, evenly spread over the data set."""
    masks = sorted((data / 'SegmentationClass').glob('*.png'))
    if len(masks) < count:
        raise FileNotFoundError(
            f'{data} has {len(masks)} photographs with masks, but {count} are wanted: name a data '
            'set in VOC layout with --data, or lower --images.'
        )
    chosen = [masks[i * len(masks) // count] for i in range(count)]
    return [Photograph(data / 'JPEGImages' / f'{mask.stem}.jpg', mask) for mask in chosen]


def soft_logits(mask: np.ndarray, num_classes: int, seed: int) -> Tensor:
    """Logits of a network that knows the mask at its patches, (num_classes, 20, 20).

    Every class in the image speaks up where it covers a patch, and another, confused with it, half
    as loud; all classes whisper a smooth random field and a random number a patch. About 95 % of
    the pixels are right and the likeliest class has 0.88 on average.
    """
    random = np.random.default_rng(seed)
    present = np.unique(mask)
    names = random.choice(num_classes, 2 * len(present), replace=False)
    field = torch.from_numpy(random.normal(size=(1, num_classes, 5, 5)))
    logits = F.interpolate(field, (GRID, GRID), mode='bicubic', align_corners=False)[0].numpy()
    logits += 0.3 * random.normal(size=logits.shape)
    loudness = 6 + np.log(num_classes)
    for k, label in enumerate(present):
        share = cv2.resize(
            (mask == label).astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA
        )
        logits[names[k]] += loudness * share
        logits[names[len(present) + k]] += 0.55 * loudness * share
    return torch.from_numpy(logits).float()


def upsample(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Logits at the pixels, (num_classes, H, W)."""
    return F.interpolate(logits[None], size, mode='bilinear', align_corners=False)[0]


def voc_sized(picture: np.ndarray) -> np.ndarray:
    """A picture of 375x500 pixels, continued by reflection: enlarged ones would be smoother."""
    rows, columns = VOC_SIZE[0] - picture.shape[0], VOC_SIZE[1] - picture.shape[1]
    continued = cv2.copyMakeBorder(picture, 0, max(rows, 0), 0, max(columns, 0), cv2.BORDER_REFLECT)
    return continued[: VOC_SIZE[0], : VOC_SIZE[1]]
