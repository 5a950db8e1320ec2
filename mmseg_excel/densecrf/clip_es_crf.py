"""The CRF of CLIP-ES, and the pixels it is sure of."""

from __future__ import annotations

import numpy as np
from mmseg.registry import MODELS
from torch import Tensor

from ..utils.checks import check_number
from .dense_crf import LEAST, DenseCRF

IGNORED = 255
# Of BGR, in grey levels.
MEAN = np.array([104.008, 116.669, 122.675], np.float32)


@MODELS.register_module()
class CLIPESDenseCRF(DenseCRF):
    """DenseCRF as CLIP-ES's reference calls it (CLIP-ES's method page, section 9).

    It sees the tagged classes' scores in half precision, which do not sum to one, and not the
    photograph but bytes of it minus a mean, in which grey levels below the mean wrap around.

    Args:
        confidence: Pixels whose posterior stays below it are labelled 255. Default: 0.95.
        **kwargs: Of :class:`DenseCRF`.
    """

    normalised = False

    def __init__(self, confidence: float = 0.95, **kwargs) -> None:
        super().__init__(**kwargs)
        check_number('CLIPESDenseCRF.confidence', confidence, '[0, 1]')
        self.confidence = confidence

    def energies(self, probabilities: Tensor) -> Tensor:
        """Energies whose clipping and logarithm round to half precision.

        Args:
            probabilities: Scores, (1 + k, H, W): 1 - max of the classes', then the classes'; they
                do not sum to one.
        """
        least = float(np.float16(LEAST))
        return -probabilities.half().float().clamp(least, 1).log().half().float()

    def seen(self, image: np.ndarray) -> np.ndarray:
        """The image's bytes, wrapped around."""
        return wrapped_bytes(image)

    def choose(self, refined: Tensor) -> Tensor:
        """Channel of each pixel, uint8 (..., H, W), 255 where it is not sure."""
        return super().choose(refined).masked_fill(refined.amax(dim=-3) < self.confidence, IGNORED)


def wrapped_bytes(image: np.ndarray) -> np.ndarray:
    """RGB bytes (H, W, 3) as BGR minus its mean, truncated, modulo 256."""
    return np.trunc(image[..., ::-1].astype(np.float32) - MEAN).astype(np.int64).astype(np.uint8)
