"""The one file that holds the results of a sweep."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..utils.atomic import write_atomically
from ..utils.bad_input import BadInput
from ..utils.checks import shown

SCHEMA_VERSION = 1


class ResultsFile:
    """Results by run, in a JSON file that is always whole.

    ``runs`` holds what a run is and its scores: the same bytes for an interrupted and an unbroken
    sweep. ``measured`` holds what no two sweeps have in common: time, memory and device.

    Args:
        path: Of the file; it need not exist.

    Raises:
        BadInput: It is no file, or holds something else.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._content: dict[str, Any] = dict(schema_version=SCHEMA_VERSION, runs={}, measured={})
        if self.path.exists():
            self._content = self._read()

    def __contains__(self, key: str) -> bool:
        return key in self._content['runs']

    def __iter__(self) -> Iterator[str]:
        return iter(self._content['runs'])

    def scores(self, key: str) -> dict[str, float]:
        """Scores of a run."""
        return self._content['runs'][key]['scores']

    def measured(self, key: str) -> dict:
        """Time, memory and device of a run."""
        return self._content['measured'][key]

    def add(self, key: str, run: dict, measured: dict) -> None:
        """Put a run into the file."""
        self._content['runs'][key] = run
        self._content['measured'][key] = measured
        text = json.dumps(self._content, indent=1, sort_keys=True, ensure_ascii=False)
        write_atomically(self.path, (text + '\n').encode())

    def _read(self) -> dict:
        if not self.path.is_file():  # reading a pipe would wait for ever
            raise BadInput(f"'{self.path}' is no file to keep results in: give another path.")
        try:
            content = json.loads(self.path.read_text(encoding='utf-8'))
        except (ValueError, RecursionError) as error:  # covers broken UTF-8 too
            raise BadInput(
                f"'{self.path}' is not a JSON file ({error}): give another file, or remove this "
                'one.'
            ) from None
        if not isinstance(content, dict) or content.get('schema_version') != SCHEMA_VERSION:
            raise BadInput(
                f"'{self.path}' holds no results of schema version {SCHEMA_VERSION}: give another "
                'file, or remove this one.'
            )
        wrong = _first_wrong(content)
        if wrong:
            raise BadInput(f"'{self.path}' is damaged: {wrong}; remove that entry, or the file.")
        return content


def _first_wrong(content: dict) -> str | None:
    """What is wrong with the entries, as half a sentence."""
    runs, measured = content.get('runs'), content.get('measured')
    if not isinstance(runs, dict) or not isinstance(measured, dict):
        return "'runs' and 'measured' must be objects"
    for key, run in runs.items():
        scores = run.get('scores') if isinstance(run, dict) else None
        if not isinstance(scores, dict) or not all(map(_is_score, scores.values())):
            return f'run {shown(key)} has no scores that are numbers'
        if not isinstance(measured.get(key), dict):
            return f'run {shown(key)} has no measurements'
    return None


def _is_score(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
