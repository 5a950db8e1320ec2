"""How many training images a second one process decodes and augments.

    python -m benchmarks.data_loading

The training pipeline of `configs/excel_voc.py` on made-up JPEG files of VOC's size, 500x375. A
training step of batch 4 that takes s seconds needs 4 / s images a second of all workers together.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config
from mmseg.registry import DATASETS
from mmseg.utils import register_all_modules

from mmseg_excel.datasets.tag_tables import write_tag_table

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=200)
    args = parser.parse_args()
    register_all_modules(init_default_scope=True)
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        dataset = make_dataset(Path(folder), args.images)
        dataset[0]
        start = time.perf_counter()
        for index in range(args.images):
            dataset[index]
        seconds = time.perf_counter() - start
    print(f'{args.images / seconds:.0f} images a second in one process')


def make_dataset(folder: Path, count: int):
    """VOC's training set and pipeline, on files made here."""
    write_photographs(folder, count)
    config = Config.fromfile(ROOT / 'configs/excel_voc.py').train_dataloader.dataset
    config.data_root = str(folder)
    config.ann_file = 'train.txt'
    config.tag_source = dict(type='TableTags', file='tags.json')
    return DATASETS.build(config)


def write_photographs(folder: Path, count: int) -> None:
    """JPEG files of VOC's size, their list and their tags."""
    (folder / 'JPEGImages').mkdir()
    rng = np.random.default_rng(0)
    names = [f'{index:06d}' for index in range(count)]
    for name in names:
        areas = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        image = cv2.resize(areas, (500, 375), interpolation=cv2.INTER_CUBIC)
        noise = rng.integers(0, 16, image.shape, dtype=np.uint8)
        cv2.imwrite(str(folder / f'JPEGImages/{name}.jpg'), cv2.add(image, noise))
    (folder / 'train.txt').write_text('\n'.join(names))
    write_tag_table(folder / 'tags.json', {name: ['dog', 'sofa'] for name in names})


if __name__ == '__main__':
    main()
