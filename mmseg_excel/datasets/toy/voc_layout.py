"""Writing a toy world to disk exactly as PASCAL VOC 2012 lays its files out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
from PIL import Image

from ...utils.checks import check_whole, shown
from ...utils.drafts import draft_folder
from ...utils.text_file import read_text
from .palette import TOY_PALETTE
from .scenes import Scene, generate_scene

_STAMP = 'toy_world.json'
_VERSION = 2
# Sets a world's scenes apart from those that the toy CLIP is trained on.
_SERIES = 2012
_NO_STAMP = 'no stamp of a toy world'
_MOST_SCENES = 1_000_000
_BORDER_VALUE = 255
_BORDER_RGB = (224, 224, 192)


def write_voc_layout(
    root: str | Path, num_train: int = 600, num_val: int = 100, size: int = 64, seed: int = 0
) -> Path:
    """Write a toy world as ``root/VOC2012`` and return that folder.

    The folder has ``JPEGImages/*.jpg``, ``SegmentationClass/*.png`` (palette images, objects edged
    with the ignored value 255), ``Annotations/*.xml`` and ``ImageSets/Segmentation/{train,
    train_aug,val,trainval}.txt``. A complete world written earlier with the same arguments is left
    as it is.

    Args:
        root: Folder that holds ``VOC2012``; made if absent.
        num_train: Number of training scenes.
        num_val: Number of validation scenes, none of them a training scene.
        size: Side of the square images in pixels.
        seed: Of the whole world; scene ``i`` depends on ``seed``, ``i`` and ``size`` alone.

    Raises:
        BadInput: A number is too small or too large.
        FileExistsError: ``root/VOC2012`` exists and is not this world.
    """
    _check(num_train, num_val, size, seed)
    target = Path(root) / 'VOC2012'
    stamp = dict(version=_VERSION, num_train=num_train, num_val=num_val, size=size, seed=seed)
    if target.exists():
        _require_stamp(target, stamp)
        return target

    target.parent.mkdir(parents=True, exist_ok=True)
    with draft_folder(target.parent, 'VOC2012') as draft:
        _write_world(draft, num_train, num_val, size, seed)
        (draft / _STAMP).write_text(json.dumps(stamp) + '\n')
        os.rename(draft, target)
    return target


def _check(num_train: int, num_val: int, size: int, seed: int) -> None:
    check_whole('num_train', num_train, f'[1, {_MOST_SCENES}]')
    check_whole('num_val', num_val, f'[1, {_MOST_SCENES}]')
    check_whole('size', size, '[32, 1024]')
    check_whole('seed', seed, f'[0, {2**63 - 1}]')


def _require_stamp(target: Path, stamp: dict) -> None:
    path = target / _STAMP
    try:
        found = json.loads(read_text(path, 'stamp')) if path.exists() else _NO_STAMP
    except ValueError:
        found = _NO_STAMP
    if found != stamp:
        raise FileExistsError(
            f'{target} exists and is not the toy world asked for ({shown(found, 200)} instead of '
            f'{stamp}); remove it or choose another folder'
        )


def _write_world(folder: Path, num_train: int, num_val: int, size: int, seed: int) -> None:
    for name in ('JPEGImages', 'SegmentationClass', 'Annotations', 'ImageSets/Segmentation'):
        (folder / name).mkdir(parents=True)
    names = [f'toy_{number:06d}' for number in range(num_train + num_val)]
    for number, name in enumerate(names):
        rng = np.random.default_rng((_SERIES, seed, number))
        _write_scene(folder, name, generate_scene(rng, size))
    train, val = names[:num_train], names[num_train:]
    for split, members in dict(train=train, train_aug=train, val=val, trainval=names).items():
        (folder / f'ImageSets/Segmentation/{split}.txt').write_text('\n'.join(members) + '\n')


def _write_scene(folder: Path, name: str, scene: Scene) -> None:
    Image.fromarray(scene.image).save(folder / f'JPEGImages/{name}.jpg', quality=95)
    mask = Image.fromarray(with_borders(scene.mask)).convert('P')
    mask.putpalette(_palette())
    mask.save(folder / f'SegmentationClass/{name}.png')
    ElementTree.ElementTree(_annotation(name, scene)).write(folder / f'Annotations/{name}.xml')


def with_borders(mask: np.ndarray) -> np.ndarray:
    """Return ``mask`` (H, W) with 255 on every pixel next to a pixel of another value."""
    around = np.ones((3, 3), np.uint8)
    edge = cv2.dilate(mask, around) != cv2.erode(mask, around)
    return np.where(edge, np.uint8(_BORDER_VALUE), mask)


def _palette() -> list[int]:
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(TOY_PALETTE)] = TOY_PALETTE
    colours[_BORDER_VALUE] = _BORDER_RGB
    return colours.ravel().tolist()


def _annotation(name: str, scene: Scene) -> ElementTree.Element:
    height, width = scene.mask.shape
    root = ElementTree.Element('annotation')
    _add(root, folder='VOC2012', filename=f'{name}.jpg')
    _add(ElementTree.SubElement(root, 'size'), width=width, height=height, depth=3)
    _add(root, segmented=1)
    for item in scene.objects:
        node = ElementTree.SubElement(root, 'object')
        _add(node, name=item.name, pose='Unspecified', truncated=0, difficult=0)
        # VOC counts pixels from 1 and includes the last.
        corners = dict(
            zip(('xmin', 'ymin', 'xmax', 'ymax'), (v + 1 for v in item.box), strict=True)
        )
        _add(ElementTree.SubElement(node, 'bndbox'), **corners)
    ElementTree.indent(root)
    return root


def _add(parent: ElementTree.Element, **leaves: object) -> None:
    for name, value in leaves.items():
        ElementTree.SubElement(parent, name).text = str(value)
