"""The fully connected CRF that ends the multi-scale inference."""

from __future__ import annotations

import numpy as np
from mmseg.registry import MODELS

from ..utils.bad_input import BadInput
from ..utils.checks import check_keys, check_number, check_whole, shown

try:
    import pydensecrf.densecrf as pydensecrf
    from pydensecrf.utils import unary_from_softmax
except ImportError:
    pydensecrf = None

# What the library underneath survives: beyond, it crashes or overflows.
RANGES = dict(sxy='[0.1, 10000]', srgb='[0.1, 10000]', compat='(0, 10000]')
GAUSSIAN = dict(sxy=1, compat=3)
BILATERAL = dict(sxy=67, srgb=3, compat=4)
MOST_CLASSES = 255  # label maps are uint8, and 255 means "ignored"
ROUNDING = 0.01  # probabilities may have been stored in half precision


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
        min_probability: Classes that reach this probability nowhere in the image are left out.
            Default: 0, exact. 0.3 is fast and changes fewer than one pixel in a thousand
            (``benchmarks/densecrf.py``).

    Raises:
        ImportError: pydensecrf is not installed.
        BadInput: A setting is out of range.

    Example:
        >>> refined = DenseCRF()(image, probabilities)  # (H, W, 3), (n+1, H, W) -> (n+1, H, W)
    """

    def __init__(
        self,
        iterations: int = 10,
        gaussian: dict | None = None,
        bilateral: dict | None = None,
        min_probability: float = 0.0,
    ) -> None:
        if pydensecrf is None:
            raise ImportError(
                'DenseCRF needs the package pydensecrf: run `pip install pydensecrf2`, or leave '
                'post_processor=None to go without it.'
            )
        check_whole('DenseCRF.iterations', iterations, '[0, 1000]')
        check_number('DenseCRF.min_probability', min_probability, '[0, 1]')
        self.iterations = iterations
        self.gaussian = _kernel('DenseCRF.gaussian', gaussian, GAUSSIAN)
        self.bilateral = _kernel('DenseCRF.bilateral', bilateral, BILATERAL)
        self.min_probability = min_probability

    @property
    def remark(self) -> str:
        """What has to be said beside every score; empty if the result is exact."""
        if self.min_probability == 0:
            return ''
        return f'DenseCRF leaves out classes below {self.min_probability:g}: fast, not exact.'

    def __call__(self, image: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """Refine the prediction of one image.

        Args:
            image: uint8 RGB, (H, W, 3).
            probabilities: float32, (n+1, H, W), summing to one over classes.

        Returns:
            Refined probabilities, float32, (n+1, H, W); those of classes left out are 0.

        Raises:
            BadInput: These are no probabilities, or not of the image's pixels.
        """
        self.check(probabilities)
        return self.refine(image, probabilities)

    def check(self, probabilities: np.ndarray) -> None:
        """Refuse what cannot be refined, see :func:`check_probabilities`."""
        check_probabilities(probabilities)

    def refine(self, image: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """The same for probabilities that are known to be some.

        They need not sum to one: :class:`CRFPool` leaves out classes before it hands them on.
        """
        num_classes, height, width = probabilities.shape
        check_image(image, height, width)
        classes = self.select_classes(probabilities.reshape(num_classes, -1).max(axis=1))
        refined = np.zeros((num_classes, height, width), np.float32)
        refined[classes] = self._infer(image, probabilities[classes])
        return refined

    def label(self, image: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """Channel of each pixel, uint8 (H, W), after refinement; 255 is no label."""
        return self.refine(image, probabilities).argmax(axis=0).astype(np.uint8)

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


def check_probabilities(probabilities: np.ndarray, normalised: bool = True) -> None:
    """Refuse what no softmax over 1 to 255 classes gave.

    Args:
        probabilities: Floats, (n+1, H, W).
        normalised: Whether they must sum to one over classes. Default: True.

    Raises:
        BadInput: Says what is wrong with them.
    """
    if not isinstance(probabilities, np.ndarray) or probabilities.dtype.kind != 'f':
        kind = getattr(probabilities, 'dtype', type(probabilities).__name__)
        raise BadInput(f'DenseCRF needs probabilities as an array of floats, not {kind}.')
    shape = probabilities.shape
    if len(shape) != 3 or 0 in shape:
        raise BadInput(f'DenseCRF needs probabilities of shape (classes, H, W), not {shape}.')
    if shape[0] > MOST_CLASSES:
        raise BadInput(
            f'DenseCRF has {shape[0]} classes, but label maps hold at most {MOST_CLASSES}.'
        )
    low, high = float(probabilities.min()), float(probabilities.max())
    if not 0 <= low <= high <= 1 + ROUNDING:
        raise BadInput(f'DenseCRF needs probabilities in 0..1, but these reach {low:g}..{high:g}.')
    if not normalised:
        return
    total = probabilities.sum(axis=0, dtype=np.float32)
    worst = float(total.flat[np.abs(total - 1).argmax()])
    if abs(worst - 1) > ROUNDING:
        raise BadInput(
            f'DenseCRF needs probabilities that sum to 1 over classes, but at one pixel they sum '
            f'to {worst:g}: take the softmax of logits first.'
        )


def check_image(image: np.ndarray, height: int, width: int) -> None:
    """Refuse what is no RGB photograph of a size."""
    kind = getattr(image, 'dtype', type(image).__name__)
    shape = getattr(image, 'shape', None)
    if kind != np.uint8 or shape != (height, width, 3):
        raise BadInput(
            f'DenseCRF needs an uint8 RGB image of {height}x{width} pixels, the size of the '
            f'probabilities, but got {kind} of shape {shape}.'
        )


def _kernel(setting: str, given: dict | None, default: dict) -> dict:
    """Settings of a kernel, complete and in range."""
    kernel = default if given is None else given
    check_keys(setting, kernel, default)
    missing = [key for key in default if key not in kernel]
    if missing:
        raise BadInput(f'{setting} is {shown(kernel)}, but {missing[0]} is missing.')
    for key, value in kernel.items():
        check_number(f'{setting}.{key}', value, RANGES[key])
    return dict(kernel)
