"""What sliding windows are worth: large pictures whole, and window by window.

    python benchmarks/sliding_windows.py [--iterations 150] [--mosaics 6]

Trains ExCEL on scenes of the toy world from their tags, shortly, then segments mosaics of 3x4
scenes that it has not seen, 192x256 pixels. The training-free source has the tags of all scenes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import LabelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor

from mmseg_excel.datasets.toy.scenes import generate_scene
from mmseg_excel.models.trained_segmentor import TrainedSegmentor

CONFIG = Path(__file__).parents[1] / 'configs/excel_toy.py'
ROWS, COLUMNS, SIDE = 3, 4, 64
BATCH = 8
FIRST_TRAINING_SEED = 10**6
MODES = {
    'whole': {},
    'slide, stride 64': dict(mode='slide', crop_size=(SIDE, SIDE), stride=(64, 64)),
    'slide, stride 48': dict(mode='slide', crop_size=(SIDE, SIDE), stride=(48, 48)),
    'slide, stride 32': dict(mode='slide', crop_size=(SIDE, SIDE), stride=(32, 32)),
}


def normalised(model: TrainedSegmentor, image: np.ndarray) -> Tensor:
    levels = torch.from_numpy(image.copy()).permute(2, 0, 1).float()
    return ((levels - model.data_preprocessor.mean) / model.data_preprocessor.std)[None]


def tagged(model: TrainedSegmentor, tags: set[str], size: tuple[int, int]) -> SegDataSample:
    sample = SegDataSample(metainfo=dict(ori_shape=size, img_shape=size))
    hot = [float(name in tags) for name in model.text_head.vocabulary.classes]
    sample.gt_tags = LabelData(multi_hot=torch.tensor(hot))
    return sample


def train(model: TrainedSegmentor, iterations: int) -> None:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    model.train()
    for iteration in range(iterations):
        seeds = FIRST_TRAINING_SEED + iteration * BATCH + np.arange(BATCH)
        scenes = [generate_scene(np.random.default_rng(seed), SIDE) for seed in seeds]
        images = torch.cat([normalised(model, scene.image) for scene in scenes])
        samples = [tagged(model, set(scene.tags), (SIDE, SIDE)) for scene in scenes]
        optimizer.zero_grad()
        sum(model.loss(images, samples).values()).backward()
        optimizer.step()
    model.eval()


def mosaic(seed: int) -> tuple[np.ndarray, np.ndarray, set[str]]:
    """Pixels, mask and tags of scenes beside each other."""
    first = 100 * seed
    scenes = [
        [generate_scene(np.random.default_rng(first + row * COLUMNS + column), SIDE)
         for column in range(COLUMNS)]
        for row in range(ROWS)
    ]  # fmt: skip
    image, mask = (
        np.concatenate([np.concatenate([getattr(s, part) for s in row], axis=1) for row in scenes])
        for part in ('image', 'mask')
    )
    return image, mask, {tag for row in scenes for scene in row for tag in scene.tags}


@torch.no_grad()
def miou(model: TrainedSegmentor, mosaics: int) -> float:
    num = model.num_classes
    confusion = np.zeros((num, num))
    for seed in range(mosaics):
        image, mask, tags = mosaic(seed)
        [result] = model.predict(normalised(model, image), [tagged(model, tags, mask.shape)])
        known = mask < num
        pairs = mask[known].astype(int) * num + result.pred_sem_seg.data[0].numpy()[known]
        confusion += np.bincount(pairs, minlength=num**2).reshape(num, num)
    hits = np.diag(confusion)
    return 100 * np.mean(hits / (confusion.sum(0) + confusion.sum(1) - hits))


def main() -> None:
    parser = argparse.ArgumentParser(description='mIoU of large pictures, whole and in windows')
    parser.add_argument('--iterations', type=int, default=150)
    parser.add_argument('--mosaics', type=int, default=6)
    args = parser.parse_args()
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(CONFIG).model)
    model.init_weights()
    train(model, args.iterations)
    for source in model.SOURCES:
        for name, mode in MODES.items():
            model.test_cfg = dict(source=source, **mode)
            print(f'{source:8} {name:18} mIoU {miou(model, args.mosaics):5.1f}', flush=True)


if __name__ == '__main__':
    main()
