"""Settings: what may change from question to question."""

from __future__ import annotations

from dataclasses import dataclass

from ..ops import pixel_adaptive
from ..utils.checks import check_flag, check_number, check_whole
from . import ranges


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a segmentor is asked; each method adds what is its own.

    Attributes:
        box_threshold: τ.
        dynamic: Whether the trained adapter has a part in maps and affinity. Default: False.
        crf: Whether a DenseCRF sharpens pseudo label and prediction. Default: False.
    """

    box_threshold: float
    dynamic: bool = False
    crf: bool = False

    def __post_init__(self) -> None:
        self.check_number('box_threshold', ranges.BOX_THRESHOLD)
        check_flag(f'{type(self).__name__}.dynamic', self.dynamic)
        check_flag(f'{type(self).__name__}.crf', self.crf)

    @property
    def texts_from(self) -> dict:
        """How class texts are made, arguments of :class:`Wordbook`; by default from names alone."""
        return dict(mode='global')

    def check_number(self, name: str, interval: str) -> None:
        """Refuse a setting that is no number of an interval."""
        check_number(f'{type(self).__name__}.{name}', getattr(self, name), interval)

    def check_whole(self, name: str, interval: str) -> None:
        """Refuse a setting that is no whole number of an interval."""
        check_whole(f'{type(self).__name__}.{name}', getattr(self, name), interval)


@dataclass(frozen=True, kw_only=True)
class RefinedSettings(Settings):
    """Of methods whose scores are refined along colours.

    Attributes:
        par_iterations: Rounds of pixel-adaptive refinement; 0 leaves the maps as they are.
    """

    par_iterations: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_whole('par_iterations', pixel_adaptive.ITERATIONS)
