"""MS COCO 2014 made ready: one 81-class mask per image, tags and lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ...text.vocabulary import COCO_CLASSES
from ...utils.bad_input import BadInput
from ...utils.checks import check_choice, check_flag, check_folder_name, check_sequence
from ...utils.downloads import COCO_URLS
from ...utils.drafts import draft_folder
from ...utils.images import decode_image, open_image
from ...utils.parallel import check_workers, parallel_map
from ...utils.problems import Problems
from ..coco_json import COCOJSON
from ..lists import write_list
from ..masks import write_mask
from ..tag_tables import write_tag_table
from .coco_index import COCOImage, COCOIndex
from .coco_shapes import area_of

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
        BadInput: an argument cannot be used, or annotation files or images are broken, which are
            all named.
    """
    check_folder_name('root', root)
    check_workers(workers)
    check_flag('any_size', any_size)
    check_sequence('splits', splits)
    root = Path(root)
    for split in splits:
        check_choice('splits', split, NUM_IMAGES)
        _require(root, split)
    return {split: _prepare_split(root, split, workers, any_size) for split in splits}


def _require(root: Path, split: str) -> None:
    folder, file = root / f'{split}2014', _annotation_file(root, split)
    for path, is_there in ((folder, folder.is_dir()), (file, file.exists())):
        if not is_there:
            raise FileNotFoundError(f'{path} does not exist; unpack {COCO_URLS} in {root}.')


def _annotation_file(root: Path, split: str) -> Path:
    return root / f'annotations/instances_{split}2014.json'


def _prepare_split(root: Path, split: str, workers: int, any_size: bool) -> int:
    with draft_folder(root, 'coco_index') as folder:
        path = folder / 'index.sqlite'
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
        images = index.annotated_images()
    if not images:
        raise BadInput(f'{annotation_file} holds no image with an annotation.')
    return images


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
    path = root / folder / image.file
    try:
        if target.exists():
            with open_image(target) as mask:
                fits = mask.size == (image.width, image.height)
            return None if fits else f'{target} is of another size than its annotations'
        if decode_image(path) != (image.height, image.width):
            return f'{path} is of another size than its annotations'
    except (BadInput, FileNotFoundError) as error:
        return str(error)
    try:
        drawn = draw_annotations(_open(index).annotations(image.id), image.height, image.width)
    except BadInput as error:
        return f'{path}: {error}'
    write_mask(target, drawn)
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
        BadInput: a segmentation is malformed; names the annotation.
    """
    mask = np.zeros((height, width), np.uint8)
    for number, class_index, segmentation in annotations:
        try:
            mask[area_of(segmentation, height, width)] = class_index + 1
        except ValueError as error:
            raise BadInput(f'annotation {number} is malformed ({error})') from None
    return mask


def _tags(index: Path) -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    with COCOIndex(index) as content:
        for name, class_index in content.class_indices():
            table.setdefault(name, []).append(COCO_CLASSES[class_index])
    return table
