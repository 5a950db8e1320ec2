"""Textured backgrounds: one painting function each, returning (H, W, 3) float32 RGB."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np


def _smooth_noise(rng: np.random.Generator, height: int, width: int, cells: int) -> np.ndarray:
    """Return noise (H, W) in about [-1, 1] with ``cells`` bumps across the image."""
    coarse = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def _flat(
    rng: np.random.Generator, height: int, width: int, rgb: tuple, spread: int = 18
) -> np.ndarray:
    """Return a plain colour near ``rgb`` with soft patches of light."""
    base = np.add(rgb, rng.integers(-spread, spread + 1, 3)).astype(np.float32)
    light = _smooth_noise(rng, height, width, 4) * 9
    return base + light[..., None]


def _grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column coordinates in 0..1, shapes (H, 1) and (1, W)."""
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(0, 1, width, dtype=np.float32)[None]
    return rows, columns


def grass(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Green with upright blades."""
    image = _flat(rng, height, width, (95, 165, 70))
    blades = rng.normal(0, 1, (max(height // 5, 2), width)).astype(np.float32)
    return image + cv2.resize(blades, (width, height))[..., None] * 14


def sky(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A gradient from blue, or from evening orange, down to a pale horizon."""
    top = ((105, 165, 230), (130, 190, 240), (235, 165, 130))[rng.choice(3, p=(0.45, 0.4, 0.15))]
    rows, _ = _grid(height, width)
    fade = rows[..., None] * 45
    return _flat(rng, height, width, top, 12) + fade


def sea(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Blue-green with wavy crests."""
    rows, columns = _grid(height, width)
    phase = rng.uniform(0, 6.28)
    waves = np.sin(rows * rng.uniform(35, 60) + 1.5 * np.sin(columns * rng.uniform(8, 16) + phase))
    return _flat(rng, height, width, (40, 110, 150)) + waves[..., None] * 16


def sand(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Tan with dark and light grains."""
    grains = rng.normal(0, 12, (height, width, 1)).astype(np.float32)
    return _flat(rng, height, width, (222, 195, 140)) + grains


def snow(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """White with bluish hollows."""
    hollows = np.clip(_smooth_noise(rng, height, width, 6), 0, 1)[..., None]
    return _flat(rng, height, width, (232, 236, 242), 6) - hollows * (38, 26, 10)


def road(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Grey asphalt with a dashed line."""
    image = _flat(rng, height, width, (105, 105, 110)) + rng.normal(0, 6, (height, width, 1))
    rows, columns = _grid(height, width)
    line = np.abs(rows - rng.uniform(0.2, 0.8)) < 0.035
    dash = np.sin(columns * rng.uniform(18, 28) + rng.uniform(0, 6)) > 0
    image[line & dash] = (225, 220, 200)
    return image.astype(np.float32)


def wall(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Rows of bricks with pale mortar."""
    image = _flat(rng, height, width, (165, 95, 75))
    rows, columns = _grid(height, width)
    courses = rng.uniform(7, 11) * rows * max(height / width, 0.3)
    bricks = columns * rng.uniform(4, 6) + 0.5 * (np.floor(courses) % 2)
    mortar = ((courses % 1) < 0.16) | ((bricks % 1) < 0.09)
    image[mortar] = (200, 185, 170)
    return image


def field(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Brown earth in slanting furrows."""
    rows, columns = _grid(height, width)
    furrows = np.sin(rows * rng.uniform(25, 40) + columns * rng.uniform(-30, 30))
    return _flat(rng, height, width, (140, 105, 65)) + furrows[..., None] * 20


TEXTURES: dict[str, Callable[[np.random.Generator, int, int], np.ndarray]] = {
    paint.__name__: paint for paint in (grass, sky, sea, sand, snow, road, wall, field)
}
"""The painting function of each textured background."""
