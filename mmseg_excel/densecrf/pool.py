"""DenseCRF as a service: worker processes refine while the device computes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from logging import WARNING
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor

from ..utils.bad_input import BadInput
from ..utils.checks import check_path, check_whole, shown
from .dense_crf import DenseCRF
from .shared_memory import SharedBlock
from .worker import CRFWorker, Task, WorkerDied

ATTEMPTS = 2
NO_LABEL = 255


class CRFPool:
    """Refine predictions in worker processes; a context manager.

    Probabilities of the classes worth refining travel through shared memory; the workers read the
    photographs themselves. One thread waits for each worker. A worker that dies is replaced and
    its image tried once more.

    Args:
        crf: What the workers run.
        workers: Processes. Default: one a core, shared among the processes of a distributed run.
        queue_size: Images in work or waiting; :meth:`submit` waits while there are as many.
            Default: four a worker.

    Example:
        >>> with CRFPool(DenseCRF()) as pool:
        ...     for name, labels in pool.refine_all(predictions):  # (name, image path, (n+1, H, W))
        ...         save(name, labels)
    """

    def __init__(
        self, crf: DenseCRF, workers: int | None = None, queue_size: int | None = None
    ) -> None:
        if not isinstance(crf, DenseCRF):
            raise BadInput(f'CRFPool.crf is {shown(crf)}, but must be a DenseCRF.')
        check_pool_size('CRFPool', workers, queue_size)
        self.crf = crf
        self.workers = workers or cores_of_this_process()
        self.queue_size = queue_size or 4 * self.workers
        crf.warm_up()  # once here, and not in every worker
        self._closing = False
        self._workers = [CRFWorker(crf) for _ in range(self.workers)]
        self._blocks = [SharedBlock() for _ in range(self.queue_size)]
        self._idle_workers = _queue_of(self._workers)
        self._free_blocks = _queue_of(self._blocks)
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix='densecrf')

    @property
    def queue_length(self) -> int:
        """How many images are in work or waiting."""
        return self.queue_size - self._free_blocks.qsize()

    def submit(self, image_path: str, probabilities: Tensor) -> Future[np.ndarray]:
        """Hand one prediction over; waits only while the queue is full.

        Args:
            image_path: The photograph.
            probabilities: (n+1, H, W), on any device.

        Returns:
            The future label map, uint8 (H, W). Its exception names the image.

        Raises:
            BadInput: These are no probabilities.
        """
        if self._closing:
            raise BadInput('This CRFPool is closed: submit images inside its with block.')
        check_path('image_path', image_path)
        if not isinstance(probabilities, Tensor):
            self.crf.check(probabilities)  # tells what a tensor of it would lack
            probabilities = torch.from_numpy(probabilities)
        if probabilities.device.type == 'cpu':  # elsewhere the host would wait for the device
            self.crf.check(probabilities.float().numpy())
        classes = self.crf.select_classes(probabilities.flatten(1).amax(dim=1).cpu().numpy())
        block = self._free_blocks.get()
        try:
            block.write(probabilities, classes)
        except BaseException:  # of full shared memory: the next image needs the block
            self._free_blocks.put(block)
            raise
        return self._threads.submit(self._refine, image_path, block, classes.astype(np.uint8))

    def submit_all(self, predictions: Iterable[tuple[str, Tensor]]) -> list[Future[np.ndarray]]:
        """Hand several over, one by one."""
        return [self.submit(*prediction) for prediction in predictions]

    def refine_all(
        self, predictions: Iterable[tuple[Any, str, Tensor]]
    ) -> Iterator[tuple[Any, np.ndarray]]:
        """Refine a stream of ``(key, image path, probabilities)``.

        Reads ahead only as far as the queue is long.

        Yields:
            ``(key, labels)`` in the order in which they are finished.
        """
        keys: dict[Future, Any] = {}
        for key, image_path, probabilities in predictions:
            keys[self.submit(image_path, probabilities)] = key
            for future in [future for future in keys if future.done()]:
                yield keys.pop(future), future.result()
        while keys:
            for future in wait(keys, return_when=FIRST_COMPLETED).done:
                yield keys.pop(future), future.result()

    def close(self) -> None:
        """End workers and threads and free the shared memory; unfinished images are dropped."""
        self._closing = True
        for worker in self._workers:
            worker.interrupt()
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.close()
        for block in self._blocks:
            block.unlink()

    def __enter__(self) -> CRFPool:
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def _refine(self, image_path: str, block: SharedBlock, classes: np.ndarray) -> np.ndarray:
        """Body of a thread's task: let a worker refine, then free worker and block."""
        worker = self._idle_workers.get()
        try:
            self._refine_stubbornly(worker, Task(image_path, block.name, block.shape))
            return named_channels(classes)[block.read_labels()]
        finally:
            self._idle_workers.put(worker)
            self._free_blocks.put(block)

    def _refine_stubbornly(self, worker: CRFWorker, task: Task) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return worker.refine(task)
            except WorkerDied as death:
                if self._closing or attempt == ATTEMPTS:
                    raise RuntimeError(
                        f'{task.image_path} could not be refined in {ATTEMPTS} attempts: {death}. '
                        'Exit code -9 mostly means that memory ran out: set fewer workers.'
                    ) from death
                print_log(f'{death} at {task.image_path}; trying again.', 'current', WARNING)


def check_pool_size(owner: str, workers: int | None, queue_size: int | None) -> None:
    """Refuse numbers of workers and waiting images that no pool has; None is the default."""
    for name, value in dict(workers=workers, queue_size=queue_size).items():
        if value is not None:
            check_whole(f'{owner}.{name}', value, '[1, 1024]')


def named_channels(labels: np.ndarray) -> np.ndarray:
    """Table from channels to their labels, uint8 (256,); 255, no label, stays what it is."""
    table = np.full(256, NO_LABEL, np.uint8)
    table[: len(labels)] = labels
    return table


def cores_of_this_process() -> int:
    """CPU cores this process may use, shared with the other local ranks of a distributed run."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    return max(1, (cores or 1) // int(os.environ.get('LOCAL_WORLD_SIZE', 1)))


def _queue_of(items: Iterable) -> SimpleQueue:
    queue: SimpleQueue = SimpleQueue()
    for item in items:
        queue.put(item)
    return queue
