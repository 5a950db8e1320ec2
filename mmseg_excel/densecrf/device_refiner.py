"""DenseCRF on the device that predicts, and the choice between it and worker processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..utils.bad_input import BadInput
from ..utils.images import read_rgb
from .dense_crf import DenseCRF
from .engines import ANY_DEVICE, engine_for
from .pool import CRFPool


class DeviceRefiner:
    """Refine predictions where they are, one by one; in the place of a :class:`.CRFPool`.

    Probabilities stay on the device: labels alone leave it.

    Args:
        crf: With an engine for the device.
    """

    queue_length = 0  # nothing waits

    def __init__(self, crf: DenseCRF) -> None:
        self.crf = crf

    def submit(self, image_path: str, probabilities: Tensor) -> Future[np.ndarray]:
        """Refine one prediction.

        Args:
            image_path: The photograph.
            probabilities: (n+1, H, W), on the device.

        Returns:
            The label map, uint8 (H, W), ready. Its exception names the image.
        """
        future: Future[np.ndarray] = Future()
        try:
            future.set_result(self.crf.label(read_rgb(image_path), probabilities).cpu().numpy())
        except (BadInput, OSError) as error:
            future.set_exception(BadInput(f'{image_path} cannot be refined: {error}'))
        return future

    def refine_all(
        self, predictions: Iterable[tuple[Any, str, Tensor]]
    ) -> Iterator[tuple[Any, np.ndarray]]:
        """Refine a stream of ``(key, image path, probabilities)``.

        Yields:
            ``(key, labels)``, in order.
        """
        for key, image_path, probabilities in predictions:
            yield key, self.submit(image_path, probabilities).result()

    def __enter__(self) -> DeviceRefiner:
        return self

    def __exit__(self, *exception) -> None:
        pass


Refiner = CRFPool | DeviceRefiner


def refiner_of(
    crf: DenseCRF, device: torch.device, workers: int | None = None, queue_size: int | None = None
) -> Refiner:
    """What refines predictions on a device: itself, or worker processes on the CPU.

    Args:
        crf: What to run.
        device: Where predictions are made.
        workers: Of the :class:`.CRFPool`.
        queue_size: Of the :class:`.CRFPool`.
    """
    if device.type != 'cpu' and engine_for(crf.engine, device) == ANY_DEVICE:
        return DeviceRefiner(crf)
    return CRFPool(crf, workers, queue_size)


def device_of(model: nn.Module) -> torch.device:
    """Where a model predicts."""
    parameter = next(model.parameters(), None)
    return torch.device('cpu') if parameter is None else parameter.device
