"""What the page shows: maps over the picture, labels, and what their colours mean."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

import cv2
import numpy as np

from ..inference.answers import Answer
from ..inference.label_map import LabelMap
from ..visualization.attention import Point
from ..visualization.figure import heat_overlay, stretched

SMALLEST = 320  # longest side of a picture on the page, in pixels
Captioned = tuple[np.ndarray, str]


def map_pictures(answer: Answer) -> list[Captioned]:
    """A map of each class over the picture, over its own range."""
    pixels = answer.image.pixels
    return [
        (enlarged(heat_overlay(stretched(heat), pixels)), name)
        for name, heat in zip(answer.tags, answer.maps, strict=True)
    ]


def label_picture(labels: LabelMap, pixels: np.ndarray) -> np.ndarray:
    """Labels over the picture; the background shows it."""
    return enlarged(labels.overlay(pixels))


def attention_pictures(
    heat: dict[str, np.ndarray], pixels: np.ndarray, point: Point
) -> list[Captioned]:
    """Attention from a point over the picture, the point marked."""
    return [
        (mark_point(enlarged(heat_overlay(h, pixels)), point, pixels.shape), name)
        for name, h in heat.items()
    ]


def mark_point(picture: np.ndarray, point: Point, shape: tuple[int, ...]) -> np.ndarray:
    """Draw a red star with a white edge at a point.

    Args:
        picture: uint8 RGB, of any size.
        point: (x, y) in pixels of the original.
        shape: (H, W, ...) of the original.
    """
    marked = np.ascontiguousarray(picture)
    height, width = marked.shape[:2]
    centre = (point[0] + 0.5) / shape[1] * width, (point[1] + 0.5) / shape[0] * height
    radius = max(max(height, width) / 32, 5)
    angles = np.arange(10) * np.pi / 5 - np.pi / 2
    corners = np.stack([np.cos(angles), np.sin(angles)], 1) * np.tile([1, 0.4], 5)[:, None]
    outline = np.rint(corners * radius + centre).astype(np.int32)
    cv2.polylines(marked, [outline], True, (255, 255, 255), 3, cv2.LINE_AA)
    cv2.fillPoly(marked, [outline], (230, 0, 0), cv2.LINE_AA)
    return marked


def figures(pictures: Sequence[Captioned]) -> str:
    """Pictures beside each other with their captions, as HTML that carries them."""
    items = []
    for pixels, caption in pictures:
        _, jpeg = cv2.imencode('.jpg', pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
        data, name = base64.b64encode(jpeg.tobytes()).decode(), html.escape(caption)
        items.append(
            f'<figure><img alt="{name}" src="data:image/jpeg;base64,{data}">'
            f'<figcaption>{name}</figcaption></figure>'
        )
    return f'<div class="figures">{"".join(items)}</div>'


def legend(labels: LabelMap) -> str:
    """Colour, name and share of the pixels of each label that occurs, as HTML."""
    items = []
    for name, share in labels.shares().items():
        red, green, blue = labels.colour(name)
        colour = f'rgb({red},{green},{blue})' if name != labels.classes[0] else 'transparent'
        items.append(
            f'<li><i style="background:{colour}"></i>{html.escape(name)}'
            f' <small>{100 * share:.1f} %</small></li>'
        )
    return f'<ul class="legend">{"".join(items)}</ul>'


def enlarged(picture: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3), enlarged if it is small; its pixels stay pixels."""
    factor = enlargement(picture)
    return picture.repeat(factor, axis=0).repeat(factor, axis=1) if factor > 1 else picture


def enlargement(picture: np.ndarray) -> int:
    """How many times larger :func:`enlarged` makes a picture."""
    return -(-SMALLEST // max(picture.shape[:2]))
