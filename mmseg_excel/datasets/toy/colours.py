"""Named colours, so that a caption can say what was painted."""

import numpy as np

COLOURS = {
    'red': (205, 50, 45),
    'orange': (235, 135, 40),
    'yellow': (240, 210, 60),
    'green': (60, 150, 65),
    'blue': (50, 90, 200),
    'purple': (135, 70, 165),
    'pink': (240, 140, 175),
    'brown': (125, 80, 50),
    'white': (240, 240, 235),
    'black': (40, 40, 45),
    'grey': (140, 140, 145),
}
"""RGB of each colour name."""

SKIN_TONES = ((245, 205, 170), (205, 150, 110), (130, 85, 60))


def contrasting(backdrop: np.ndarray, distance: float = 110.0) -> list[str]:
    """Return the names of the colours at least ``distance`` (in RGB) from ``backdrop`` (3,)."""
    return [
        name
        for name, rgb in COLOURS.items()
        if np.linalg.norm(np.subtract(rgb, backdrop)) >= distance
    ]
