"""MS COCO 2014 made ready: one 81-class mask per image, tags and lists."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from ...text.vocabulary import COCO_CLASSES
from ...utils.images import why_unreadable
from ...utils.parallel import parallel_map
from ...utils.problems import Problems
from ..coco_json import COCOJSON
from ..lists import write_list
from ..masks import write_mask
from ..tag_tables import write_tag_table
from .coco_index import COCOImage, COCOIndex

COCO_URLS = (
    'http://images.cocodataset.org/zips/train2014.zip, '
    'http://images.cocodataset.org/zips/val2014.zip and '
    'http://images.cocodataset.org/annotations/annotations_trainval2014.zip'
)
NUM_IMAGES = dict(train=82783, val=40504)


def prepare_coco(
    root: str | Path,
    *,
    splits: Sequence[str] = ('train', 'val'),
    workers: int = 1,
    any_size: bool = False,
) -> dict[str, int]:
    """Draw the masks of MS COCO 2014 and write its tags and lists.

    Read below ``root``: ``{split}2014/*.jpg`` and ``annotations/instances_{split}2014.json``.
    Written: ``SegmentationClass/{split}2014/*.png``, ``tags/{split}.json`` and
    ``ImageSets/{split}.txt``.

    - Labels: 0 is background; the 80 categories are 1..80 in the order of their ids.
    - Crowds are drawn like single objects; where objects overlap, the smaller area is on top.
    - Images without any annotation are left out, as everywhere (82 081 and 40 137 remain).

    A run that was stopped continues: masks already there are kept. Lists and tags come last, and
    only if every image is sound, so what the data set can load is always complete. Memory does not
    grow with the number of annotations.

    Args:
        root: Folder of the unpacked downloads.
        splits: Default: ``('train', 'val')``.
        workers: Number of processes. Default: 1.
        any_size: Accept files with another number of images (a subset). Default: False.

    Returns:
        Number of images in each list.

    Raises:
        FileNotFoundError: a folder or annotation file is missing; says where it comes from.
        ValueError: an annotation file or an image is broken; names every one.
    """
    root = Path(root)
    for split in splits:
        _require(root, split)
    return {split: _prepare_split(root, split, workers, any_size) for split in splits}


def _require(root: Path, split: str) -> None:
    for path in (root / f'{split}2014', _annotation_file(root, split)):
        if not path.exists():
            raise FileNotFoundError(f'{path} does not exist; unpack {COCO_URLS} in {root}.')


def _annotation_file(root: Path, split: str) -> Path:
    return root / f'annotations/instances_{split}2014.json'


def _prepare_split(root: Path, split: str, workers: int, any_size: bool) -> int:
    with tempfile.TemporaryDirectory(prefix='.coco_index_', dir=root) as folder:
        path = Path(folder) / 'index.sqlite'
        images = _index(path, _annotation_file(root, split), split, any_size)
        _draw_masks(root, split, path, images, workers)
        write_tag_table(root / f'tags/{split}.json', _tags(path))
    write_list(root / f'ImageSets/{split}.txt', (image.name for image in images))
    return len(images)


def _index(path: Path, annotation_file: Path, split: str, any_size: bool) -> list[COCOImage]:
    problems = Problems()
    with COCOIndex(path) as index:
        index.fill(COCOJSON(annotation_file), COCO_CLASSES, problems)
        if not any_size and index.num_images != NUM_IMAGES[split]:
            problems.add(
                'files of the wrong size (--any-size accepts them)',
                f'{index.num_images} images, COCO 2014 has {NUM_IMAGES[split]}',
            )
        problems.raise_report_if_any(str(annotation_file))
        return index.annotated_images()


def _draw_masks(root: Path, split: str, index: Path, images: list[COCOImage], workers: int) -> None:
    problems = Problems()
    draw = partial(_draw_mask, root, f'{split}2014', index)
    for complaint in parallel_map(draw, images, workers=workers, title=f'drawing {split} masks'):
        if complaint:
            problems.add('images missing or broken', complaint)
    _open.cache_clear()
    problems.raise_report_if_any(str(root / f'{split}2014'))


def _draw_mask(root: Path, folder: str, index: Path, image: COCOImage) -> str | None:
    """Write one mask unless it is there; what is wrong with the image, if anything."""
    target = root / 'SegmentationClass' / folder / f'{image.name}.png'
    if target.exists():
        return None
    path = root / folder / image.file
    reason = why_unreadable(str(path))
    if reason:
        return f'{path} {reason}'
    with Image.open(path) as picture:
        if picture.size != (image.width, image.height):
            return f'{path} is of another size than its annotations'
    try:
        mask = draw_annotations(_open(index).annotations(image.id), image.height, image.width)
    except ValueError as error:
        return f'{path}: {error}'
    write_mask(target, mask)
    return None


@lru_cache(maxsize=1)
def _open(index: Path) -> COCOIndex:
    return COCOIndex(index)


def draw_annotations(
    annotations: Iterable[tuple[int, int, list | dict]], height: int, width: int
) -> np.ndarray:
    """Draw segmentations one over the other.

    Args:
        annotations: Id, class index and COCO segmentation (polygons or run lengths), bottom first.
        height: Of the image.
        width: Of the image.

    Returns:
        uint8 (height, width): 0 where nothing was drawn, else class index + 1.

    Raises:
        ValueError: a segmentation is malformed; names the annotation.
    """
    mask = np.zeros((height, width), np.uint8)
    for number, class_index, segmentation in annotations:
        try:
            mask[_area(segmentation, height, width)] = class_index + 1
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise ValueError(f'annotation {number} is malformed ({error})') from None
    return mask


def _area(segmentation: list | dict, height: int, width: int) -> np.ndarray:
    """Where a segmentation is, bool (height, width)."""
    if isinstance(segmentation, dict):
        if list(segmentation['size']) != [height, width]:
            raise ValueError(f'its size is {segmentation["size"]}, not {[height, width]}')
        if isinstance(segmentation['counts'], list):
            if sum(segmentation['counts']) != height * width:
                raise ValueError('its run lengths do not add up to the image')
            segmentation = coco_mask.frPyObjects(segmentation, height, width)
    else:
        if any(len(polygon) % 2 for polygon in segmentation):
            raise ValueError('a polygon has an odd number of coordinates')
        # Fewer than three points enclose nothing; pycocotools would take two for a box.
        polygons = [polygon for polygon in segmentation if len(polygon) >= 6]
        if not polygons:
            return np.zeros((height, width), bool)
        segmentation = coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))
    return coco_mask.decode(segmentation).astype(bool)


def _tags(index: Path) -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    with COCOIndex(index) as content:
        for file, class_index in content.class_indices():
            name = str(Path(file).with_suffix(''))
            table.setdefault(name, []).append(COCO_CLASSES[class_index])
    return table
