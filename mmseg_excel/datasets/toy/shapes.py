"""Outlines in an object's own frame: x to the right, y down, the object within [-1, 1]."""

import numpy as np

_CIRCLE = np.stack(
    [
        np.cos(np.linspace(0, 2 * np.pi, 24, endpoint=False)),
        np.sin(np.linspace(0, 2 * np.pi, 24, endpoint=False)),
    ],
    axis=1,
)


def polygon(*points: tuple[float, float]) -> np.ndarray:
    """Return the outline (M, 2) through ``points``."""
    return np.array(points, dtype=np.float64)


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Return an upright rectangle."""
    return polygon((left, top), (right, top), (right, bottom), (left, bottom))


def ellipse(x: float, y: float, radius_x: float, radius_y: float, degrees: float = 0) -> np.ndarray:
    """Return an ellipse around (x, y), turned by ``degrees``."""
    return turn(_CIRCLE * (radius_x, radius_y), degrees) + (x, y)


def circle(x: float, y: float, radius: float) -> np.ndarray:
    """Return a circle around (x, y)."""
    return ellipse(x, y, radius, radius)


def turn(points: np.ndarray, degrees: float) -> np.ndarray:
    """Rotate ``points`` (M, 2) around the origin."""
    angle = np.deg2rad(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    return points @ np.array([[cosine, sine], [-sine, cosine]])
