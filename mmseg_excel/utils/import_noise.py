"""What MMSegmentation says on import about optional parts that nobody here misses."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

# mmseg prints this wherever its vendor's data sets are not installed, twice.
PRINTED = 'Could not import OneDL'
# mmcv warns of it wherever it has no compiled operators; ExCEL needs none.
WARNED = 'Fail to import ``MultiScaleDeformableAttention``'


def ignore_missing_operators() -> None:
    """Ignore mmcv's warning from now on."""
    # Not catch_warnings: it would take back the filters that the imported packages set.
    warnings.filterwarnings('ignore', message=WARNED)


@contextmanager
def without_import_noise() -> Iterator[None]:
    """Import without these two messages; anything else that is said comes out as ever."""
    ignore_missing_operators()
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            yield
    finally:
        for line in printed.getvalue().splitlines():
            if line != PRINTED:
                print(line)
