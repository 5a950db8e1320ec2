"""COCO's segmentations, polygons and run lengths, checked and drawn."""

from __future__ import annotations

import numpy as np

from ...utils.extras import extra

with extra('coco'):
    from pycocotools import mask as coco_mask

#: How many pixels outside of its image a polygon may reach; COCO's own reach a few.
MARGIN = 16


def area_of(segmentation: object, height: int, width: int) -> np.ndarray:
    """Where a segmentation is, bool (height, width).

    Raises:
        ValueError: It is malformed, or not of an image of this size.
    """
    if isinstance(segmentation, dict):
        return _area_of_runs(segmentation, height, width)
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError('it is neither a list of polygons nor run lengths')
    for polygon in segmentation:
        _check_polygon(polygon, height, width)
    # Fewer than three points enclose nothing; pycocotools would take two for a box.
    polygons = [polygon for polygon in segmentation if len(polygon) >= 6]
    if not polygons:
        return np.zeros((height, width), bool)
    shape = coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))
    return coco_mask.decode(shape).astype(bool)


def _check_polygon(polygon: object, height: int, width: int) -> None:
    if not isinstance(polygon, list) or not all(type(value) in (int, float) for value in polygon):
        raise ValueError('a polygon is not a list of numbers')
    if not polygon or len(polygon) % 2:
        raise ValueError('a polygon has no or an odd number of coordinates')
    for values, side in ((polygon[::2], width), (polygon[1::2], height)):
        # Written such that NaN does not pass.
        if not all(-MARGIN <= value <= side + MARGIN for value in values):
            raise ValueError(f'a polygon leaves the image by more than {MARGIN} pixels')


def _area_of_runs(runs: dict, height: int, width: int) -> np.ndarray:
    if runs.get('size') != [height, width]:
        raise ValueError(f'its size is {str(runs.get("size"))[:40]}, not {[height, width]}')
    if 'counts' not in runs:
        raise ValueError('its run lengths lack counts')
    counts = runs['counts']
    if isinstance(counts, str):
        counts = _decompressed(counts)
    good = isinstance(counts, list) and all(type(run) is int and run >= 0 for run in counts)
    if not good or sum(counts) != height * width:
        raise ValueError('its run lengths do not add up to the image')
    # Runs of zeros and ones in turn, column by column.
    pixels = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return pixels.reshape(width, height).T


def _decompressed(text: str) -> list[int]:
    """COCO's run lengths as text: six bits a character, five of them the number's, low ones first.

    From the third on, a run is stored as its difference from the one before the last. Decoded
    here, since pycocotools writes beyond its memory if the runs are more than the image.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 30:
            raise ValueError('its run lengths are no such text')
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError('its run lengths are cut off')
    return counts
