"""The fully connected CRF that ends the multi-scale inference."""

from __future__ import annotations

import numpy as np
from mmseg.registry import MODELS

try:
    import pydensecrf.densecrf as pydensecrf
    from pydensecrf.utils import unary_from_softmax
except ImportError:
    pydensecrf = None


@MODELS.register_module()
class DenseCRF:
    """Sharpen class probabilities along the edges of the photograph.

    Mean-field inference in a fully connected CRF with two Potts kernels: one smooths neighbouring
    pixels, one ties pixels that are near *and* alike. Defaults are ExCEL's (docs/method.md,
    section 9).

    Args:
        iterations: Mean-field iterations.
        gaussian: Smoothness kernel: ``sxy``, its width in pixels, and ``compat``, its weight.
        bilateral: Appearance kernel: ``sxy`` in pixels, ``srgb`` in 8-bit colour levels, and
            ``compat``, its weight.
        min_probability: Classes that reach this probability nowhere in the image are left out,
            for speed; 0 is exact. The default changes fewer than one pixel in a thousand
            (``benchmarks/densecrf.py``).

    Raises:
        ImportError: pydensecrf is not installed.

    Example:
        >>> refined = DenseCRF()(image, probabilities)  # (H, W, 3), (n+1, H, W) -> (n+1, H, W)
    """

    def __init__(
        self,
        iterations: int = 10,
        gaussian: dict | None = None,
        bilateral: dict | None = None,
        min_probability: float = 0.3,
    ) -> None:
        if pydensecrf is None:
            raise ImportError(
                'DenseCRF needs the package pydensecrf: run `pip install pydensecrf2`, or leave '
                'post_processor=None to go without it.'
            )
        self.iterations = iterations
        self.gaussian = dict(sxy=1, compat=3) if gaussian is None else gaussian
        self.bilateral = dict(sxy=67, srgb=3, compat=4) if bilateral is None else bilateral
        self.min_probability = min_probability

    def __call__(self, image: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """Refine the prediction of one image.

        Args:
            image: uint8 RGB, (H, W, 3).
            probabilities: float32, (n+1, H, W), summing to one over classes.

        Returns:
            Refined probabilities, float32, (n+1, H, W); those of classes left out are 0.

        Raises:
            ValueError: The two arrays do not describe the same pixels.
        """
        num_classes, height, width = probabilities.shape
        if image.dtype != np.uint8 or image.shape != (height, width, 3):
            raise ValueError(
                f'DenseCRF needs an uint8 RGB image of {height}x{width} pixels, the size of the '
                f'probabilities, but got {image.dtype} of shape {image.shape}.'
            )
        classes = self.select_classes(probabilities.reshape(num_classes, -1).max(axis=1))
        refined = np.zeros((num_classes, height, width), np.float32)
        refined[classes] = self._infer(image, probabilities[classes])
        return refined

    def select_classes(self, peaks: np.ndarray) -> np.ndarray:
        """Classes worth refining, ascending.

        Args:
            peaks: Highest probability of each class in the image, (n+1,).
        """
        return np.flatnonzero(peaks >= min(self.min_probability, peaks.max()))

    def _infer(self, image: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """Mean-field inference over all given classes."""
        num_classes, height, width = probabilities.shape
        if num_classes == 1:  # nothing competes with it
            return np.ones_like(probabilities)
        crf = pydensecrf.DenseCRF2D(width, height, num_classes)
        crf.setUnaryEnergy(np.ascontiguousarray(unary_from_softmax(probabilities)))
        crf.addPairwiseGaussian(**self.gaussian)
        crf.addPairwiseBilateral(rgbim=np.ascontiguousarray(image), **self.bilateral)
        refined = np.array(crf.inference(self.iterations), dtype=np.float32)
        return refined.reshape(probabilities.shape)
