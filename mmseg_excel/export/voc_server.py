"""Predictions as PASCAL VOC's evaluation server takes them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmseg.registry import METRICS

from ..datasets.masks import labels_in, write_mask
from ..datasets.palette import voc_palette
from ..utils.atomic import write_atomically
from ..utils.bad_input import BadInput
from ..utils.checks import check_text, check_whole
from ..utils.images import open_image
from ..utils.problems import Problems

FOLDER = 'results/VOC2012/Segmentation/comp6_test_cls'
ARCHIVE = 'results/comp6_test_cls.tar'
NUM_CLASSES = 21
NUM_IMAGES = 1456


@METRICS.register_module()
class VOCServerExport(BaseMetric):
    """An evaluator that scores nothing: it writes the predictions and the archive to upload.

    Below ``output_dir``: ``results/VOC2012/Segmentation/comp6_test_cls/{image}.png`` and, once all
    of them pass :func:`check_submission`, ``results/comp6_test_cls.tar``.

    Args:
        output_dir: Default: ``'.'``.
        num_images: How many images the server expects; None accepts any number.
            Default: 1456, the test list of VOC 2012.

    Raises:
        BadInput: an argument cannot be used; the server would refuse the files; names every one.
    """

    def __init__(self, output_dir: str = '.', num_images: int | None = NUM_IMAGES) -> None:
        check_text('VOCServerExport.output_dir', output_dir)
        if num_images is not None:
            check_whole('VOCServerExport.num_images', num_images, '[1, inf)')
        super().__init__()
        self.output_dir = Path(output_dir) / FOLDER
        self.archive = Path(output_dir) / ARCHIVE
        self.num_images = num_images

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Write the predictions of a batch."""
        for sample in data_samples:
            name = Path(sample['img_path']).stem
            mask = sample['pred_sem_seg']['data'][0].cpu().numpy().astype(np.uint8)
            write_mask(self.output_dir / f'{name}.png', mask)
            self.results.append((name, tuple(sample['ori_shape'][:2])))

    def compute_metrics(self, results: list[tuple[str, tuple[int, int]]]) -> dict[str, float]:
        """Check all files, then write the archive; there are no scores."""
        shapes = dict(results)
        if self.num_images is not None and len(shapes) != self.num_images:
            raise BadInput(
                f'The server expects {self.num_images} images, the list has {len(shapes)}.'
            )
        check_submission(self.output_dir, shapes)
        write_archive(self.archive, self.output_dir, shapes)
        print_log(f'Upload {self.archive}.', 'current')
        return {}


def check_submission(folder: str | Path, shapes: Mapping[str, tuple[int, int]]) -> None:
    """Hold predictions to the server's rules.

    One PNG per image of the list and no other; VOC's palette; labels 0..20; the image's size.

    Args:
        folder: Of the PNGs.
        shapes: Height and width by image name.

    Raises:
        BadInput: names every file that breaks a rule.
    """
    folder = Path(folder)
    problems = Problems()
    found = {path.name for path in folder.glob('*.png')}
    expected = {f'{name}.png': shape for name, shape in shapes.items()}
    for name in sorted(found - expected.keys()):
        problems.add('predictions of no image in the list', name)
    for name in sorted(expected.keys() - found):
        problems.add('predictions missing', name)
    for name in sorted(found & expected.keys()):
        reason = _why_refused(folder / name, expected[name])
        if reason:
            problems.add('predictions that break the rules', f'{name} {reason}')
    problems.raise_report_if_any(str(folder))


def _why_refused(path: Path, shape: tuple[int, int]) -> str | None:
    try:
        with open_image(path) as image:
            palette = image.getpalette()
            mask = np.asarray(image)
    except BadInput:
        return 'is not a readable PNG'
    if image.format != 'PNG' or image.mode != 'P':
        return f'is a {image.format} of mode {image.mode}, not a palette PNG'
    if palette is None or palette[: 3 * NUM_CLASSES] != sum(voc_palette(NUM_CLASSES), []):
        return "has another palette than VOC's"
    if mask.shape != shape:
        return f'is {mask.shape[1]}x{mask.shape[0]}, its image {shape[1]}x{shape[0]}'
    if (mask == 255).any() or labels_in(mask).max() >= NUM_CLASSES:
        return 'has labels other than 0..20'
    return None


def write_archive(path: str | Path, folder: str | Path, names: Mapping | Sequence[str]) -> None:
    """Write the tar, whole or not at all; inside, files stand where the server looks for them."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode='w') as archive:
        for name in sorted(names):
            archive.add(Path(folder) / f'{name}.png', f'{FOLDER}/{name}.png')
    write_atomically(path, content.getvalue())
