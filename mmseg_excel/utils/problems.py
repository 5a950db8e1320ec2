"""Tells everything wrong with some data in one error instead of one thing at a time."""

from __future__ import annotations

from .bad_input import BadInput


class Problems:
    """What is wrong with some data, grouped by kind.

    Example:
        >>> problems = Problems()
        >>> problems.add('images missing', '2007_000032.jpg')
        >>> problems.raise_if_any('train.txt', 'Run tools/prepare_voc.py.')
        BadInput: train.txt: images missing (1): 2007_000032.jpg. Run tools/prepare_voc.py.
    """

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return sum(len(items) for items in self._found.values())

    def add(self, kind: str, item: str) -> None:
        """Note one bad item, e.g. ``add('images missing', 'a.jpg')``."""
        self._found.setdefault(kind, []).append(item)

    def summary(self, shown: int = 5) -> str:
        """All kinds on one line, the first ``shown`` items of each by name and the rest counted."""
        return '; '.join(
            f'{kind} ({len(items)}): {_first(items, shown)}' for kind, items in self._found.items()
        )

    def report(self) -> str:
        """Every bad item on a line of its own."""
        lines = []
        for kind, items in self._found.items():
            lines.append(f'{kind} ({len(items)}):')
            lines.extend(f'  {_short(item, 400)}' for item in items)
        return '\n'.join(lines)

    def raise_report_if_any(self, where: str) -> None:
        """Raise a ``BadInput`` that tells every single problem, for tools that check files."""
        if self._found:
            raise BadInput(f'{where}: {len(self)} problems.\n{self.report()}')

    def raise_if_any(self, where: str, way_out: str = '') -> None:
        """Raise a ``BadInput`` that names ``where``, the problems and the ``way_out``."""
        if self._found:
            raise BadInput(f'{where}: {self.summary()}. {way_out}'.rstrip())


def _short(item: str, most: int = 160) -> str:
    """Without the middle, as it is the ends of paths that tell them apart."""
    half = most // 2
    return item if len(item) <= most else f'{item[:half]}...{item[-half:]}'


def _first(items: list[str], shown: int) -> str:
    named = ', '.join(map(_short, items[:shown]))
    rest = len(items) - shown
    return f'{named} and {rest} more' if rest > 0 else named
