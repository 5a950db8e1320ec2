"""The one file that holds the results of a sweep."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ..utils.atomic import write_atomically

SCHEMA_VERSION = 1


class ResultsFile:
    """Results by run, in a JSON file that is always whole.

    ``runs`` holds what a run is and its scores: the same bytes for an interrupted and an unbroken
    sweep. ``measured`` holds what no two sweeps have in common: time, memory and device.

    Args:
        path: Of the file; it need not exist.

    Raises:
        ValueError: The file holds something else.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._content = dict(schema_version=SCHEMA_VERSION, runs={}, measured={})
        if self.path.is_file():
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
        try:
            content = json.loads(self.path.read_text(encoding='utf-8'))
        except ValueError as error:  # covers broken UTF-8 too
            raise ValueError(f'{self.path} is not a JSON file: {error}.') from None
        if not isinstance(content, dict) or content.get('schema_version') != SCHEMA_VERSION:
            raise ValueError(
                f'{self.path} holds no results of schema version {SCHEMA_VERSION}: give another '
                'file, or remove this one.'
            )
        return content
