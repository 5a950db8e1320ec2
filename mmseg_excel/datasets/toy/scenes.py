"""Scenes: a backdrop, some clutter, and one or more objects with their masks and visible parts."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...text.vocabulary import TOY_CLASSES
from .colours import COLOURS, contrasting
from .objects import MAIN_COLOURS, OBJECTS, Brush, Part
from .shapes import circle, ellipse, polygon, turn
from .textures import TEXTURES

_SUBPIXEL_BITS = 4
_HABITATS = {
    'boat': ('sea',),
    'house': ('grass', 'snow', 'field'),
    'car': ('road', 'wall'),
    'tree': ('grass', 'field', 'snow'),
    'fish': ('sea',),
    'bird': ('sky', 'sand'),
    'flower': ('grass', 'field'),
    'person': ('road', 'sand', 'snow'),
    'cat': ('wall', 'grass'),
    'balloon': ('sky',),
}
_FAR = ('sky', 'wall')


@dataclass(frozen=True)
class Style:
    """How full scenes are.

    Args:
        counts: Probabilities of one object, two objects and so on.
        scale: Smallest and largest side of an object, as a fraction of the image's side.
        clutter: The most things that no class names.
        horizons: Share of the scenes that show a horizon, where their texture allows one.
        habitats: Share of the scenes whose texture is chosen to suit the first object.
    """

    counts: tuple[float, ...]
    scale: tuple[float, float]
    clutter: int
    horizons: float
    habitats: float


CALM = Style(counts=(0.75, 0.25), scale=(0.5, 0.85), clutter=1, horizons=0.3, habitats=0.15)
"""What the toy world looks like."""

BUSY = Style(counts=(0.4, 0.4, 0.2), scale=(0.4, 0.9), clutter=3, horizons=0.65, habitats=0.3)
"""What the toy CLIP learns from: more at once, so that it has to tell things apart."""


@dataclass(frozen=True)
class SceneObject:
    """One drawn object.

    Args:
        name: Its class.
        colour: Name of its main colour.
        parts: The parts that can be seen, as (name, colour name or '') pairs without repeats.
        box: Pixels (left, top, right, bottom) of what can be seen; right and bottom are inclusive.
    """

    name: str
    colour: str
    parts: tuple[tuple[str, str], ...]
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Scene:
    """A drawn scene.

    Args:
        image: uint8 RGB (H, W, 3).
        mask: uint8 (H, W): 0 background, class id + 1.
        objects: What was drawn and can still be seen, from back to front.
        backgrounds: Names of the textures and the clutter.
    """

    image: np.ndarray
    mask: np.ndarray
    objects: tuple[SceneObject, ...]
    backgrounds: tuple[str, ...]

    @property
    def tags(self) -> tuple[str, ...]:
        """The classes in the scene, in the order of ``TOY_CLASSES``."""
        present = {item.name for item in self.objects}
        return tuple(name for name in TOY_CLASSES if name in present)


def generate_scene(rng: np.random.Generator, size: int, style: Style = CALM) -> Scene:
    """Draw one scene.

    Args:
        rng: Source of all randomness; the same generator state gives the same scene.
        size: Side of the square image in pixels.
        style: How full the scene is. Default: as the toy world's scenes are.
    """
    count = 1 + rng.choice(len(style.counts), p=style.counts)
    names = rng.choice(TOY_CLASSES, size=count, replace=False)
    canvas, backgrounds = _paint_backdrop(rng, size, style, str(names[0]))
    backgrounds += _scatter_clutter(rng, canvas, style.clutter)

    instances = np.zeros((size, size), np.uint8)
    parts_seen = np.zeros((size, size), np.uint8)
    drawn: list[tuple[str, str, list[Part]]] = []
    for name, (centre, side) in zip(
        names.tolist(), _place(rng, len(names), size, style.scale), strict=False
    ):
        visible = contrasting(_local_colour(canvas, centre, side))
        brush = Brush(rng, MAIN_COLOURS[name], visible)
        parts = OBJECTS[name](brush)
        _draw(rng, canvas, instances, parts_seen, parts, centre, side, len(drawn) + 1)
        drawn.append((name, brush.main, parts))

    objects = tuple(
        SceneObject(name, main, *seen)
        for index, (name, main, parts) in enumerate(drawn, start=1)
        if (seen := _what_is_seen(instances == index, parts_seen, parts)) is not None
    )
    class_of = [0] + [TOY_CLASSES.index(name) + 1 for name, _, _ in drawn]
    mask = np.array(class_of, np.uint8)[instances]
    return Scene(_expose(rng, canvas), mask, objects, tuple(dict.fromkeys(backgrounds)))


def _paint_backdrop(
    rng: np.random.Generator, size: int, style: Style, guest: str
) -> tuple[np.ndarray, list[str]]:
    """Return a canvas (size, size, 3) and its texture names; often one that suits ``guest``."""
    near = str(rng.choice(_HABITATS[guest] if rng.random() < style.habitats else list(TEXTURES)))
    if near in _FAR or rng.random() >= style.horizons:
        return _as_uint8(TEXTURES[near](rng, size, size)), [near]
    far = str(rng.choice(_FAR, p=(0.75, 0.25)))
    horizon = int(size * rng.uniform(0.25, 0.65))
    canvas = np.vstack(
        [TEXTURES[far](rng, horizon, size), TEXTURES[near](rng, size - horizon, size)]
    )
    return _as_uint8(canvas), [far, near]


def _scatter_clutter(rng: np.random.Generator, canvas: np.ndarray, most: int) -> list[str]:
    """Draw up to ``most`` things that no class names, and return what they are called."""
    names = []
    for _ in range(rng.integers(0, most + 1)):
        name = str(rng.choice(('cloud', 'stone', 'box')))
        x, y = rng.uniform(0, len(canvas), 2)
        side = len(canvas) * rng.uniform(0.06, 0.15)
        if name == 'cloud':
            rgb = np.array((238, 240, 245)) - rng.integers(0, 30)
            outlines = [ellipse(0, 0, 1.2, 0.5), circle(-0.5, -0.25, 0.5), circle(0.4, -0.35, 0.6)]
        elif name == 'stone':
            rgb = np.array((120, 115, 110)) + rng.integers(-40, 40)
            angles = np.sort(rng.uniform(0, 2 * np.pi, 7))
            outlines = [np.stack([np.cos(angles), 0.7 * np.sin(angles)], 1)]
        else:
            rgb = np.array(COLOURS[str(rng.choice(('brown', 'grey', 'purple')))])
            outlines = [
                turn(
                    polygon((-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)),
                    rng.uniform(-40, 40),
                )
            ]
        for outline in outlines:
            _fill(canvas, outline * side + (x, y), rgb, smooth=True)
        names.append(name)
    return names


def _place(
    rng: np.random.Generator, count: int, size: int, scale: tuple[float, float]
) -> list[tuple[np.ndarray, float]]:
    """Return one to ``count`` (centre (2,), side) pairs in pixels that overlap little."""
    largest = min(scale[1], scale[1] * (1.25 - 0.25 * count))
    placed: list[tuple[np.ndarray, float]] = []
    for _ in range(12 * count):
        side = size * rng.uniform(scale[0], max(largest, scale[0]))
        centre = rng.uniform(0.42 * side, size - 0.42 * side, 2)
        if all(np.abs(centre - c).max() > 0.42 * (side + s) for c, s in placed):
            placed.append((centre, side))
        if len(placed) == count:
            break
    return placed


def _local_colour(canvas: np.ndarray, centre: np.ndarray, side: float) -> np.ndarray:
    """Return the mean RGB (3,) of the square that an object is about to cover."""
    left, top = np.maximum(centre - side / 2, 0).astype(int)
    right, bottom = (centre + side / 2).astype(int) + 1
    return canvas[top:bottom, left:right].mean((0, 1))


def _draw(
    rng: np.random.Generator,
    canvas: np.ndarray,
    instances: np.ndarray,
    parts_seen: np.ndarray,
    parts: list[Part],
    centre: np.ndarray,
    side: float,
    index: int,
) -> None:
    """Paint ``parts`` in a random pose; write the object's and the parts' numbers beside it."""
    mirror = (1 if rng.random() < 0.5 else -1, 1)
    stretch = rng.uniform(0.85, 1.1, 2)
    degrees = rng.normal(0, 9)
    for number, part in enumerate(parts, start=1):
        outline = turn(part.outline * mirror * stretch, degrees) * (side / 2) + centre
        _fill(canvas, outline, part.rgb, smooth=True)
        _fill(instances, outline, index)
        _fill(parts_seen, outline, number)


def _fill(canvas: np.ndarray, outline: np.ndarray, value, smooth: bool = False) -> None:
    """Fill ``outline`` (M, 2), in pixels, in place."""
    points = np.round(outline * 2**_SUBPIXEL_BITS).astype(np.int32)
    colour = tuple(float(v) for v in np.atleast_1d(value))
    cv2.fillPoly(canvas, [points], colour, cv2.LINE_AA if smooth else cv2.LINE_8, _SUBPIXEL_BITS)


def _what_is_seen(instance: np.ndarray, parts_seen: np.ndarray, parts: list[Part]):
    """Return an instance's visible parts and box, or None if it is all but hidden."""
    total = np.count_nonzero(instance)
    if total < 0.01 * instance.size:
        return None
    area = np.bincount(parts_seen[instance], minlength=len(parts) + 1)[1:]
    seen: dict[str, str] = {}
    for part, pixels in zip(parts, area, strict=True):
        if pixels >= 0.03 * total:
            seen.setdefault(part.name, part.colour)
    rows, columns = np.nonzero(instance)
    box = (int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max()))
    return tuple(seen.items()), box


def _expose(rng: np.random.Generator, canvas: np.ndarray) -> np.ndarray:
    """Return the canvas as uint8 under uneven light and sensor noise."""
    light = cv2.resize(rng.uniform(0.88, 1.12, (3, 3)).astype(np.float32), canvas.shape[1::-1])
    noise = rng.normal(0, 3, canvas.shape).astype(np.float32)
    return _as_uint8(canvas * light[..., None] + noise)


def _as_uint8(image: np.ndarray) -> np.ndarray:
    return np.clip(image, 0, 255).astype(np.uint8)
