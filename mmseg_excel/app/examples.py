"""Example images: scenes of the toy world."""

from __future__ import annotations

import numpy as np

from ..datasets.toy.scenes import Scene, generate_scene

SIZE = 64
# A series of its own, apart from the scenes of the toy data set and of the toy CLIP's training.
SERIES = 7


def toy_scenes(count: int = 8) -> list[Scene]:
    """Draw scenes, always the same."""
    return [generate_scene(np.random.default_rng((SERIES, n)), SIZE) for n in range(count)]
