"""A process that refines one image after the other, and its handle in the main process."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from multiprocessing.shared_memory import SharedMemory

import cv2
import torch

from ..utils.bad_input import BadInput
from ..utils.images import read_rgb
from .dense_crf import DenseCRF
from .shared_memory import Shape, image_arrays


@dataclass(frozen=True)
class Task:
    """One image to refine.

    Attributes:
        image_path: The photograph, read by the worker.
        block: Name of the shared memory that holds the probabilities and takes the labels.
        shape: Shape of the probabilities, (classes, H, W).
    """

    image_path: str
    block: str
    shape: Shape


class WorkerDied(RuntimeError):
    """The process of a worker ended before it answered."""


class CRFWorker:
    """Handle of a worker process; used by one thread at a time.

    The process starts with the first task and, if it died, again with the next one.
    """

    def __init__(self, crf: DenseCRF) -> None:
        self._crf = crf
        self._running: tuple[BaseProcess, Connection] | None = None
        self._interrupted = False

    def refine(self, task: Task) -> None:
        """Write the refined labels of a task into its shared memory; waits for them.

        Raises:
            BadInput: The worker refused the task; the message names the image.
            WorkerDied: The process ended before it answered.
        """
        process, connection = self._running or self._start()
        try:
            connection.send(task)
            problem = _answer(process, connection)
        except (EOFError, OSError):
            raise WorkerDied(f'A DenseCRF worker ended with {self.close()}') from None
        if problem is not None:
            raise BadInput(f'{task.image_path} cannot be refined: {problem}')

    def interrupt(self) -> None:
        """End the process for good, whatever it does; allowed while a thread waits for it."""
        self._interrupted = True
        if self._running is not None:
            process, _ = self._running
            process.kill()

    def close(self) -> str:
        """End the process and forget it; how it ended."""
        if self._running is None:
            return 'no process'
        process, connection = self._running
        process.kill()
        process.join()
        connection.close()
        self._running = None
        return f'exit code {process.exitcode}'

    def _start(self) -> tuple[BaseProcess, Connection]:
        context = _process_context()
        connection, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, self._crf), daemon=True)
        process.start()
        theirs.close()
        self._running = process, connection
        if self._interrupted:  # while it was starting
            process.kill()
        return self._running


def _answer(process: BaseProcess, connection: Connection) -> str | None:
    """What the process says; it is watched, too, as another may hold its end of the pipe."""
    wait([connection, process.sentinel])
    if not connection.poll():
        raise EOFError
    return connection.recv()


def _process_context() -> ForkServerContext | SpawnContext:
    """How workers start: forked from a server without the threads and the GPU of this process."""
    if 'forkserver' not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context('spawn')
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([__name__])
    return context


def serve(connection: Connection, crf: DenseCRF) -> None:
    """Life of a worker: refine until the main process hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    os.nice(5)  # the process that feeds the device goes first
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(_work_on(task, crf))


def _work_on(task: Task, crf: DenseCRF) -> str | None:
    """Refine an image; what went wrong, or None."""
    memory = SharedMemory(task.block)
    try:
        return _refine(task, memory, crf)
    finally:
        memory.close()


def _refine(task: Task, memory: SharedMemory, crf: DenseCRF) -> str | None:
    # Errors end here, because a traceback would hold on to views of memory that is to be closed.
    labels, probabilities = image_arrays(memory, task.shape)
    try:
        labels[:] = crf.label(read_rgb(task.image_path), probabilities)
    except (BadInput, OSError) as error:
        return str(error)
    except Exception as error:
        return f'{type(error).__name__}: {error}'
    return None
