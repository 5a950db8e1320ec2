"""The fully connected CRF that ends the multi-scale inference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmseg.registry import MODELS
from torch import Tensor

from ..utils.bad_input import BadInput
from ..utils.checks import check_choice, check_keys, check_number, check_whole, shown
from .engines import ANY_DEVICE, AUTO, NAMES, check_installed, engine_for, mean_field_of
from .engines.kernel import Kernel
from .engines.lattice import strides_of

# What pydensecrf survives: beyond, it crashes or overflows.
RANGES = dict(sxy='[0.1, 10000]', srgb='[0.1, 10000]', compat='(0, 10000]')
GAUSSIAN = dict(sxy=1, compat=3)
BILATERAL = dict(sxy=67, srgb=3, compat=4)
MOST_CLASSES = 255  # label maps are uint8, and 255 means "ignored"
ROUNDING = 0.01  # probabilities may have been stored in half precision
LEAST = 1e-5  # a probability of 0 would have infinite energy

Probabilities = np.ndarray | Tensor


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
            (``benchmarks/densecrf_service.py``).
        engine: Who computes: ``'numba'``, compiled at first use, ``'pydensecrf'``, the library of
            the CRF's authors, or ``'torch'``, plain PyTorch, on any device. All give the same
            labels, but for single pixels that rounding decides. Default: ``'auto'``, the first of
            these that is installed, and ``'torch'`` for tensors that are not on the CPU.

    Raises:
        BadInput: A setting is out of range.
        ImportError: The engine's package is not installed.

    Example:
        >>> refined = DenseCRF()(image, probabilities)  # (H, W, 3), (n+1, H, W) -> (n+1, H, W)
    """

    def __init__(
        self,
        iterations: int = 10,
        gaussian: dict | None = None,
        bilateral: dict | None = None,
        min_probability: float = 0.0,
        engine: str = AUTO,
    ) -> None:
        check_whole('DenseCRF.iterations', iterations, '[0, 1000]')
        check_number('DenseCRF.min_probability', min_probability, '[0, 1]')
        check_choice('DenseCRF.engine', engine, NAMES)
        check_installed('DenseCRF.engine', engine)
        self.iterations = iterations
        self.gaussian = _kernel('DenseCRF.gaussian', gaussian, GAUSSIAN)
        self.bilateral = _kernel('DenseCRF.bilateral', bilateral, BILATERAL)
        self.min_probability = min_probability
        self.engine = engine

    def identity(self) -> dict[str, object]:
        """What decides the labels.

        The engine is no part of it: like the device, the number of threads and the versions of
        libraries, it decides nothing but how numbers round.
        """
        settings = {name: value for name, value in vars(self).items() if name != 'engine'}
        return dict(type=type(self), **settings)

    @property
    def remark(self) -> str:
        """What has to be said beside every score; empty if the result is exact."""
        if self.min_probability == 0:
            return ''
        return f'DenseCRF leaves out classes below {self.min_probability:g}: fast, not exact.'

    def __call__(self, image: np.ndarray, probabilities: Probabilities) -> Probabilities:
        """Refine the prediction of one image.

        Args:
            image: uint8 RGB, (H, W, 3).
            probabilities: float32, (n+1, H, W), summing to one over classes: an array, or a tensor
                on any device.

        Returns:
            Refined probabilities, float32, (n+1, H, W), of the same kind and on the same device;
            those of classes left out are 0.

        Raises:
            BadInput: These are no probabilities, or not of the image's pixels, or a kernel is too
                narrow for an image of this size.
        """
        self.check(probabilities)
        return self.refine(image, probabilities)

    def check(self, probabilities: Probabilities) -> None:
        """Refuse what cannot be refined, see :func:`check_probabilities`."""
        check_probabilities(probabilities)

    def refine(self, image: np.ndarray, probabilities: Probabilities) -> Probabilities:
        """The same for probabilities that are known to be some.

        They need not sum to one: :class:`CRFPool` leaves out classes before it hands them on.
        """
        if isinstance(probabilities, np.ndarray):
            return self.refine(image, _as_tensor(probabilities)).numpy()
        check_image(image, *probabilities.shape[1:])
        probabilities = probabilities.detach()
        if self.min_probability == 0:
            return self._infer(image, probabilities)
        classes = self.select_classes(probabilities.flatten(1).amax(dim=1).cpu().numpy())
        refined = torch.zeros_like(probabilities, dtype=torch.float32)
        refined[classes] = self._infer(image, probabilities[classes])
        return refined

    def label(self, image: np.ndarray, probabilities: Probabilities) -> Probabilities:
        """Channel of each pixel, uint8 (H, W), after refinement; 255 is no label."""
        if isinstance(probabilities, np.ndarray):
            return self.label(image, _as_tensor(probabilities)).numpy()
        return self.choose(self.refine(image, probabilities))

    def choose(self, refined: Tensor) -> Tensor:
        """Channel of each pixel, uint8 (H, W), by refined probabilities (n+1, H, W)."""
        return refined.argmax(dim=0).to(torch.uint8)

    def select_classes(self, peaks: np.ndarray) -> np.ndarray:
        """Classes worth refining, ascending.

        Args:
            peaks: Highest probability of each class in the image, (n+1,).
        """
        return np.flatnonzero(peaks >= min(self.min_probability, peaks.max()))

    def energies(self, probabilities: Tensor) -> Tensor:
        """What each class costs at each pixel alone, float32."""
        return -probabilities.float().clamp(LEAST, 1).log()

    def seen(self, image: np.ndarray) -> np.ndarray:
        """The image whose colours tie pixels, uint8 (H, W, 3)."""
        return image

    def _infer(self, image: np.ndarray, probabilities: Tensor) -> Tensor:
        """Mean-field inference over all given classes."""
        if len(probabilities) == 1:  # nothing competes with it
            return torch.ones_like(probabilities, dtype=torch.float32)
        engine = engine_for(self.engine, probabilities.device)
        device = probabilities.device if engine == ANY_DEVICE else 'cpu'
        refined = mean_field_of(engine)(
            torch.from_numpy(np.ascontiguousarray(self.seen(image))).to(device)[None],
            self.energies(probabilities).to(device)[None],
            self._kernels(*image.shape[:2]),
            self.iterations,
        )
        return refined[0].to(probabilities.device)

    def _kernels(self, height: int, width: int) -> Sequence[Kernel]:
        """The kernels, if they suit an image of this size."""
        kernels = dict(gaussian=Kernel(**self.gaussian), bilateral=Kernel(**self.bilateral))
        for name, kernel in kernels.items():
            if strides_of(kernel.extents(height, width)) is None:
                raise BadInput(
                    f'DenseCRF.{name} is {shown(getattr(self, name))}, which is too narrow for an '
                    f'image of {height}x{width} pixels: widen it.'
                )
        return list(kernels.values())


def check_probabilities(probabilities: Probabilities, normalised: bool = True) -> None:
    """Refuse what no softmax over 1 to 255 classes gave.

    Args:
        probabilities: Floats, (n+1, H, W).
        normalised: Whether they must sum to one over classes. Default: True.

    Raises:
        BadInput: Says what is wrong with them.
    """
    if not _are_floats(probabilities):
        kind = getattr(probabilities, 'dtype', type(probabilities).__name__)
        raise BadInput(f'DenseCRF needs probabilities as an array of floats, not {kind}.')
    shape = tuple(probabilities.shape)
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
    total = _as_tensor(probabilities).sum(dim=0, dtype=torch.float32)
    worst = total.flatten()[(total - 1).abs().argmax()].item()
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


def _are_floats(values: object) -> bool:
    if isinstance(values, Tensor):
        return values.is_floating_point()
    return isinstance(values, np.ndarray) and values.dtype.kind == 'f'


def _as_tensor(values: Probabilities) -> Tensor:
    """A view of an array where PyTorch can have one."""
    return torch.as_tensor(
        np.ascontiguousarray(values) if isinstance(values, np.ndarray) else values
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
