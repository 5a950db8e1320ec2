"""Files in the exact format of the MS COCO 2014 download, made of noise and random polygons."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from mmseg_excel.text.vocabulary import COCO_CLASSES

# Official category ids run from 1 to 90 with ten of them missing.
MISSING_IDS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
CATEGORY_IDS = tuple(number for number in range(1, 91) if number not in MISSING_IDS)


def make_coco_download(
    root: Path,
    split: str,
    num_images: int,
    *,
    size: tuple[int, int] = (64, 80),
    num_objects: int = 5,
    first_id: int = 1,
    seed: int = 0,
) -> dict:
    """Write ``{split}2014/*.jpg`` and ``annotations/instances_{split}2014.json``.

    Objects overlap; one in eight is a crowd; the last image has no annotation.

    Returns:
        What the JSON file holds.
    """
    rng = np.random.default_rng(seed)
    content = dict(info=dict(year=2014), images=[], licenses=[], annotations=[])
    content['categories'] = [
        dict(supercategory='thing', id=number, name=name)
        for number, name in zip(CATEGORY_IDS, COCO_CLASSES, strict=True)
    ]
    (root / f'{split}2014').mkdir(parents=True)
    for number in range(first_id, first_id + num_images):
        file_name = f'COCO_{split}2014_{number:012}.jpg'
        _write_image(root / f'{split}2014' / file_name, size, rng)
        content['images'].append(
            dict(license=1, file_name=file_name, height=size[0], width=size[1], id=number)
        )
        if number < first_id + num_images - 1:
            content['annotations'] += [_annotation(number, size, rng) for _ in range(num_objects)]
    # The original's annotations are in no order either.
    rng.shuffle(content['annotations'])
    for number, annotation in enumerate(content['annotations'], 1):
        annotation['id'] = number
    write_annotations(root, split, content)
    return content


def write_annotations(root: Path, split: str, content: dict) -> Path:
    path = root / f'annotations/instances_{split}2014.json'
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def _write_image(path: Path, size: tuple[int, int], rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (size[0] // 16, size[1] // 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BICUBIC).save(path, quality=90)


def _annotation(image: int, size: tuple[int, int], rng: np.random.Generator) -> dict:
    height, width = size
    radius = rng.uniform(0.1, 0.6) * min(size)
    centre = rng.uniform((0, 0), (width, height))
    angles = np.sort(rng.uniform(0, 2 * np.pi, 24))
    points = centre + radius * np.stack([np.cos(angles), np.sin(angles)], 1)
    polygon = np.clip(points, 0, (width, height)).round(2).ravel().tolist()
    shape = coco_mask.merge(coco_mask.frPyObjects([polygon], height, width))
    crowd = int(rng.random() < 0.125)
    return dict(
        segmentation=_run_lengths(coco_mask.decode(shape)) if crowd else [polygon],
        area=float(coco_mask.area(shape)) + round(rng.random(), 4),
        iscrowd=crowd,
        image_id=image,
        bbox=coco_mask.toBbox(shape).tolist(),
        category_id=int(rng.choice(CATEGORY_IDS)),
    )


def _run_lengths(mask: np.ndarray) -> dict:
    """COCO's uncompressed run lengths: columns first, starting with zeros."""
    flat = np.concatenate([[0], mask.ravel(order='F'), [2]])
    changes = np.flatnonzero(np.diff(flat[1:])) + 1
    counts = np.diff(np.concatenate([[0], changes])).tolist()
    return dict(counts=counts if mask.flat[0] == 0 else [0, *counts], size=list(mask.shape))
