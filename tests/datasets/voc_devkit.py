"""A small VOCdevkit in the exact layout of the original download, made of noise and boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mmseg_excel.datasets.palette import voc_palette
from mmseg_excel.text.vocabulary import VOC_CLASSES

FOLDERS = ('JPEGImages', 'Annotations', 'SegmentationClass', 'ImageSets/Segmentation')

OBJECT = """\t<object>
\t\t<name>{name}</name>
\t\t<pose>Unspecified</pose>
\t\t<truncated>0</truncated>
\t\t<difficult>{difficult}</difficult>
\t\t<bndbox>
\t\t\t<xmin>{xmin}</xmin>
\t\t\t<ymin>1</ymin>
\t\t\t<xmax>{xmax}</xmax>
\t\t\t<ymax>{height}</ymax>
\t\t</bndbox>{part}
\t</object>
"""
PART = """
\t\t<part>
\t\t\t<name>head</name>
\t\t\t<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>4</ymax></bndbox>
\t\t</part>"""


def make_voc_devkit(root: Path, lists: dict[str, dict[str, list[str]]], *, seed: int = 0) -> Path:
    """Write ``root``/VOC2012 with lists of images, e.g. ``{'train': {'2007_000032': ['cat']}}``.

    Each class of an image fills one vertical stripe of its mask between borders of 255; the last
    object of an image is marked difficult, and persons have a head.
    """
    voc = root / 'VOC2012'
    for folder in FOLDERS:
        (voc / folder).mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for list_name, images in lists.items():
        lines = ''.join(f'{name}\n' for name in images)
        (voc / 'ImageSets/Segmentation' / f'{list_name}.txt').write_text(lines)
        for name, tags in images.items():
            _write_image(voc, name, tags, rng)
    return voc


def _write_image(voc: Path, name: str, tags: list[str], rng: np.random.Generator) -> None:
    height, width = int(rng.integers(60, 90)), int(rng.integers(90, 120))
    pixels = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
    image.save(voc / 'JPEGImages' / f'{name}.jpg', quality=95)
    write_mask(voc / 'SegmentationClass' / f'{name}.png', striped_mask(height, width, tags))
    (voc / 'Annotations' / f'{name}.xml').write_text(annotation(name, height, width, tags))


def striped_mask(height: int, width: int, tags: list[str]) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    edges = np.linspace(0, width, len(tags) + 2).astype(int)
    for tag, start, stop in zip(tags, edges[1:-1], edges[2:], strict=True):
        mask[2:-2, start:stop] = VOC_CLASSES.index(tag) + 1
        mask[:, start] = 255
    return mask


def write_mask(path: Path, mask: np.ndarray) -> None:
    """A palette PNG, as VOC's are."""
    image = Image.fromarray(mask)
    image.putpalette(np.array(voc_palette(), np.uint8).tobytes())
    image.save(path)


def annotation(name: str, height: int, width: int, tags: list[str]) -> str:
    objects = ''.join(
        OBJECT.format(
            name=tag,
            difficult=int(number == len(tags)),
            xmin=1,
            xmax=width,
            height=height,
            part=PART if tag == 'person' else '',
        )
        for number, tag in enumerate(tags, 1)
    )
    return (
        f'<annotation>\n\t<folder>VOC2012</folder>\n\t<filename>{name}.jpg</filename>\n'
        '\t<source>\n\t\t<database>The VOC2007 Database</database>\n\t</source>\n'
        f'\t<size>\n\t\t<width>{width}</width>\n\t\t<height>{height}</height>\n'
        '\t\t<depth>3</depth>\n\t</size>\n\t<segmented>1</segmented>\n'
        f'{objects}</annotation>\n'
    )
