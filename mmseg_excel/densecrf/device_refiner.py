"""DenseCRF on the device that predicts, and the choice between it and worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ..ops.transfer import Arrival
from ..utils.bad_input import BadInput
from ..utils.images import read_rgb
from .dense_crf import DenseCRF, check_extremes, check_image, check_shape, extremes
from .engines import ANY_DEVICE, engine_for
from .pool import CRFPool

TOGETHER = 8  # predictions of a stream, of which those of one size are refined together
MOST_NUMBERS = 2**26  # of the probabilities that are, 0.25 GB: the lattices are many times as large


class DeviceLabels:
    """The label map of an image on its way from the device; in the place of a future.

    Args:
        image_path: The photograph.
        crf: What refined it.
        found: What it found of the probabilities, see :func:`.extremes`.
        labels: uint8, (H, W).

    Attributes:
        arriving: The labels.
    """

    def __init__(self, image_path: str, crf: DenseCRF, found: Tensor, labels: Tensor) -> None:
        self._image_path = image_path
        self._normalised = crf.normalised
        self._found, self.arriving = Arrival(found), Arrival(labels)

    def done(self) -> bool:
        """Whether it is there."""
        return self.arriving.done()

    def result(self) -> np.ndarray:
        """The label map; waits for it.

        Raises:
            BadInput: These were no probabilities. Names the image.
        """
        try:
            check_extremes(self._found.result(), self._normalised)
        except BadInput as error:
            raise _refused(self._image_path, error) from error
        return self.arriving.result().numpy()


Labels = Future[np.ndarray] | DeviceLabels


@dataclass(eq=False)
class Job:
    """A prediction, its photograph when it is read, and its labels when they are under way."""

    image_path: str
    probabilities: Tensor
    image: np.ndarray = field(init=False)
    labels: Labels | None = None


class DeviceRefiner:
    """Refine predictions where they are, those of one size together; in the place of a pool.

    Probabilities stay on the device. Label maps of bytes alone leave it, and nothing waits for
    them before they are asked for.

    Args:
        crf: With an engine for the device.
    """

    queue_length = 0  # nothing queues on the host

    def __init__(self, crf: DenseCRF) -> None:
        self.crf = crf

    def submit(self, image_path: str, probabilities: Tensor) -> Labels:
        """Refine one prediction, see :meth:`submit_all`."""
        return self.submit_all([(image_path, probabilities)])[0]

    def submit_all(self, predictions: Iterable[tuple[str, Tensor]]) -> list[Labels]:
        """Refine several predictions.

        Args:
            predictions: Photographs, and probabilities (n+1, H, W) on the device.

        Returns:
            Their label maps to come, uint8 (H, W). An exception names the image.
        """
        jobs = [Job(*prediction) for prediction in predictions]
        for job in jobs:
            self._try(self._read, [job])
        for group in _of_one_size(job for job in jobs if job.labels is None):
            self._try(self._refine, group)
        return [cast(Labels, job.labels) for job in jobs]

    def refine_all(
        self, predictions: Iterable[tuple[Any, str, Tensor]]
    ) -> Iterator[tuple[Any, np.ndarray]]:
        """Refine a stream of ``(key, image path, probabilities)``.

        Reads ahead, so that the device is never without work.

        Yields:
            ``(key, labels)``, in order.
        """
        stream = iter(predictions)
        earlier: list[tuple[Any, Labels]] = []
        while several := list(islice(stream, TOGETHER)):
            labels = self.submit_all((path, given) for _, path, given in several)
            yield from _results(earlier)
            earlier = [(key, own) for (key, *_), own in zip(several, labels, strict=True)]
        yield from _results(earlier)

    def __enter__(self) -> DeviceRefiner:
        return self

    def __exit__(self, *exception) -> None:
        pass

    def _try(self, step: Callable[[list[Job]], None], jobs: list[Job]) -> None:
        """Do a step of jobs; if it fails, that is what becomes of them."""
        try:
            step(jobs)
        except (BadInput, OSError) as error:
            for job in jobs:
                job.labels = Future()
                job.labels.set_exception(_refused(job.image_path, error))

    def _read(self, jobs: list[Job]) -> None:
        for job in jobs:
            check_shape(job.probabilities)
            job.image = read_rgb(job.image_path)
            check_image(job.image, *job.probabilities.shape[1:])

    def _refine(self, jobs: list[Job]) -> None:
        probabilities = torch.stack([job.probabilities for job in jobs])
        labels = self.crf.label_all([job.image for job in jobs], probabilities)
        for job, own in zip(jobs, labels, strict=True):
            found = extremes(job.probabilities)
            job.labels = DeviceLabels(job.image_path, self.crf, found, own)


def _of_one_size(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    """Groups of jobs whose probabilities have the same shape, and are not too many."""
    groups: dict[torch.Size, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.probabilities.shape, []).append(job)
    for shape, group in groups.items():
        most = max(1, MOST_NUMBERS // shape.numel())
        yield from (group[first : first + most] for first in range(0, len(group), most))


def _results(labels: Sequence[tuple[Any, Labels]]) -> Iterator[tuple[Any, np.ndarray]]:
    return ((key, own.result()) for key, own in labels)


def _refused(image_path: str, error: Exception) -> BadInput:
    return BadInput(f'{image_path} cannot be refined: {error}')


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
