"""The fully connected CRF that ends the multi-scale inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from mmseg.registry import MODELS
from torch import Tensor

from ..ops.transfer import to_device
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

Probabilities = TypeVar('Probabilities', np.ndarray, Tensor)  # the answer is of the same kind


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

    # Whether what it refines has to sum to one over classes.
    normalised = True

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
        """Refuse what cannot be refined, see :func:`check_shape` and :func:`check_extremes`."""
        check_shape(probabilities)
        check_extremes(extremes(_as_tensor(probabilities)), self.normalised)

    def refine(self, image: np.ndarray, probabilities: Probabilities) -> Probabilities:
        """The same for probabilities that are known to be some.

        They need not sum to one: :class:`CRFPool` leaves out classes before it hands them on.
        """
        if isinstance(probabilities, np.ndarray):
            return self.refine(image, _as_tensor(probabilities)).numpy()
        check_image(image, *probabilities.shape[1:])
        probabilities = probabilities.detach()
        if self.min_probability == 0:
            return self._infer([image], probabilities[None])[0]
        classes = self.select_classes(probabilities.flatten(1).amax(dim=1).cpu().numpy())
        refined = torch.zeros_like(probabilities, dtype=torch.float32)
        refined[classes] = self._infer([image], probabilities[None, classes])[0]
        return refined

    def label(self, image: np.ndarray, probabilities: Probabilities) -> Probabilities:
        """Channel of each pixel, uint8 (H, W), after refinement; 255 is no label."""
        if isinstance(probabilities, np.ndarray):
            return self.label(image, _as_tensor(probabilities)).numpy()
        return self.choose(self.refine(image, probabilities))

    def label_all(self, images: Sequence[np.ndarray], probabilities: Tensor) -> Tensor:
        """The same for B images of one size together.

        Args:
            images: uint8 RGB, (H, W, 3) each.
            probabilities: float32, (B, n+1, H, W), on any device.

        Returns:
            uint8, (B, H, W), on the same device; with an engine for it, nothing waits for it.
        """
        if self.min_probability > 0:  # each image keeps classes of its own
            return torch.stack(
                [self.label(*one) for one in zip(images, probabilities, strict=True)]
            )
        for image in images:
            check_image(image, *probabilities.shape[2:])
        return self.choose(self._infer(images, probabilities.detach()))

    def warm_up(self) -> None:
        """Let the CPU's engine compile what it does at first use, for all processes there are."""
        self._infer([np.zeros((1, 1, 3), np.uint8)], torch.full((1, 2, 1, 1), 0.5))

    def choose(self, refined: Tensor) -> Tensor:
        """Channel of each pixel, uint8 (..., H, W), by refined probabilities (..., n+1, H, W)."""
        return refined.argmax(dim=-3).to(torch.uint8)

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

    def _infer(self, images: Sequence[np.ndarray], probabilities: Tensor) -> Tensor:
        """Mean-field inference over all given classes, (B, n+1, H, W)."""
        if probabilities.shape[1] == 1:  # nothing competes with it
            return torch.ones_like(probabilities, dtype=torch.float32)
        batch, _, height, width = probabilities.shape
        engine = engine_for(self.engine, probabilities.device)
        device = probabilities.device if engine == ANY_DEVICE else torch.device('cpu')
        refined = mean_field_of(engine)(
            to_device(torch.from_numpy(np.stack([self.seen(image) for image in images])), device),
            self.energies(probabilities).to(device),
            self._kernels(batch, height, width),
            self.iterations,
        )
        return refined.to(probabilities.device)

    def _kernels(self, images: int, height: int, width: int) -> Sequence[Kernel]:
        """The kernels, if they suit images of this size."""
        kernels = dict(gaussian=Kernel(**self.gaussian), bilateral=Kernel(**self.bilateral))
        for name, kernel in kernels.items():
            try:
                strides_of(kernel.extents(height, width), images)
            except OverflowError:
                raise BadInput(
                    f'DenseCRF.{name} is {shown(getattr(self, name))}, which is too narrow for an '
                    f'image of {height}x{width} pixels: widen it.'
                ) from None
        return list(kernels.values())


def check_shape(probabilities: Probabilities) -> None:
    """Refuse what is no array of floats over 1 to 255 classes, (n+1, H, W)."""
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


def extremes(probabilities: Tensor) -> Tensor:
    """What :func:`check_extremes` has to know of probabilities (n+1, H, W), without a wait.

    Returns:
        float32, (4,): the least and greatest of them, and of their sums over classes.
    """
    total = probabilities.sum(dim=0, dtype=torch.float32)
    return torch.stack([x.float() for values in (probabilities, total) for x in values.aminmax()])


def check_extremes(found: Tensor, normalised: bool) -> None:
    """Refuse what no softmax gave.

    Args:
        found: :func:`extremes` of probabilities, on the host.
        normalised: Whether they must sum to one over classes.

    Raises:
        BadInput: Says what is wrong with them.
    """
    low, high, *sums = found.tolist()
    if not 0 <= low <= high <= 1 + ROUNDING:
        raise BadInput(f'DenseCRF needs probabilities in 0..1, but these reach {low:g}..{high:g}.')
    worst = max(sums, key=lambda total: abs(total - 1))
    if normalised and abs(worst - 1) > ROUNDING:
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
