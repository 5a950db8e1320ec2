"""How commands end: well, or with one sentence."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .bad_input import BadInput

INTERRUPTED = 130


@contextmanager
def bad_input_exits() -> Iterator[None]:
    """Turn the errors of bad input into one sentence on stderr and exit code 2.

    Wrap reading and set-up; long work goes into :func:`bad_input_exits_while_working`, where what
    fails otherwise is a defect and keeps its traceback. Both end quietly, with code 130, when they
    are interrupted.
    """
    with _exits_at(ValueError, OSError, ImportError, KeyError):
        yield


@contextmanager
def bad_input_exits_while_working() -> Iterator[None]:
    """The same for long work: bad pictures, full disks and folders that cannot be written."""
    with _exits_at(BadInput, OSError):
        yield


@contextmanager
def _exits_at(*errors: type[Exception]) -> Iterator[None]:
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        print('error: whoever read the output ended before all was written.', file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or exiting writes again
        sys.exit(1)
    except KeyboardInterrupt:
        print('Interrupted.', file=sys.stderr)
        sys.exit(INTERRUPTED)
    except errors as error:
        print(f'error: {_sentence(error)}', file=sys.stderr)
        sys.exit(2)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"'{error.filename}': {error.strerror.lower()} (errno {error.errno})."
    return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
