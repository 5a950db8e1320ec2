"""A bad input, and the sentence it must be answered with."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..datasets.tools import run_tool

# Reports of many bad files take a line each; everything else is one sentence on one line.
LONGEST = 1000
#: What a refusal may be; anything else is a traceback in front of a user.
REFUSALS = (ValueError, OSError, ImportError)


@dataclass(frozen=True)
class Case:
    """One bad input.

    Args:
        name: What is bad.
        act: Gives it to the package; is called with an empty folder of its own. It returns
            normally only if the input was accepted.
        says: Regular expression that the sentence must hold: setting or file, value, way out.
        report: Whether a line for each bad file is allowed below the sentence.
    """

    name: str
    act: Callable[[Path], object]
    says: str
    report: bool = False

    def __str__(self) -> str:
        return self.name

    def check(self, folder: Path) -> None:
        """Assert that the input is refused in one sentence, and that nothing is left behind."""
        with pytest.raises(REFUSALS) as caught, unchanged(folder):
            self.act(folder)
        sentence = str(caught.value)
        assert re.search(self.says, sentence, re.DOTALL), sentence
        assert 'Traceback' not in sentence
        assert self.report or ('\n' not in sentence and len(sentence) <= LONGEST), sentence


class Refused(ValueError):
    """A command line printed this sentence and exited with code 2."""


def tool(name: str, *args: object) -> None:
    """Run ``tools/NAME.py ARGS`` in this process.

    Raises:
        Refused: It printed one line of complaint and exited with 2.
    """
    stderr = io.StringIO()
    with contextlib.redirect_stderr(stderr), contextlib.redirect_stdout(io.StringIO()):
        code = run_tool(name, *args)
    complaints = [
        line
        for line in stderr.getvalue().splitlines()
        if line.startswith('error: ') or ': error: ' in line  # ours, or argparse's
    ]
    if code == 2:
        assert complaints, f'exit code 2 without a sentence: {stderr.getvalue()[-500:]}'
        raise Refused(stderr.getvalue()[stderr.getvalue().index(complaints[0]) :].strip())


@contextlib.contextmanager
def unchanged(folder: Path):
    """Assert that acting left no file below a folder that was not there before the refusal.

    What the act itself prepared is made before it calls the package, so files count from the end:
    nothing may be empty, temporary or half-written.
    """
    try:
        yield
    finally:
        left = [
            path for path in folder.rglob('*') if re.search(r'\.tmp$|\.[0-9a-f]{8}$', path.name)
        ]
        assert not left, f'left behind: {left}'
