"""How far a test has come."""

from __future__ import annotations

import time
from datetime import timedelta
from logging import Logger

SECONDS_BETWEEN_REPORTS = 10.0


class Progress:
    """Logs images per second, queue length and time left, every few seconds.

    Args:
        total: Images to come.
        logger: Where the lines go.
    """

    def __init__(self, total: int, logger: Logger) -> None:
        self.total = total
        self.logger = logger
        self.done = 0
        self._computed = 0
        self._start = self._last_report = time.monotonic()

    def recalled(self, images: int) -> None:
        """Count images whose labels were there already; they say nothing about speed."""
        self.done += images
        if self._computed == 0:
            self._start = time.monotonic()

    def computed(self, images: int, queue_length: int) -> None:
        """Count images that are finished, and report if it is time to."""
        self.done += images
        self._computed += images
        now = time.monotonic()
        if now - self._last_report >= SECONDS_BETWEEN_REPORTS or self.done >= self.total:
            self._last_report = now
            self.logger.info(self.line(now - self._start, queue_length))

    def line(self, seconds: float, queue_length: int) -> str:
        """The report after some seconds of work."""
        rate = self._computed / max(seconds, 1e-9)
        left = timedelta(seconds=round((self.total - self.done) / rate))
        return (
            f'Tested {self.done} of {self.total} images: {rate:.2f} images/s, '
            f'{queue_length} in the DenseCRF queue, {left} left'
        )
