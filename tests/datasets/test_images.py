"""Strange images pass through every pipeline; broken ones are named."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

PIPELINES = ('train_pipeline', 'test_pipeline', 'tta_pipeline')
NAME = '2007_000032'


def _noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _grey(path):
    Image.fromarray(_noise(40, 50)).convert('L').save(path)


def _cmyk(path):
    Image.fromarray(_noise(40, 50)).convert('CMYK').save(path, format='JPEG')


def _sixteen_bit(path):
    ramp = np.linspace(0, 65535, 40 * 50).reshape(40, 50).astype(np.uint16)
    path.write_bytes(cv2.imencode('.png', ramp)[1].tobytes())


def _one_pixel(path):
    Image.fromarray(_noise(1, 1)).save(path)


def _very_wide(path):
    Image.fromarray(_noise(2, 5000)).save(path)


@pytest.fixture
def image(voc):
    return voc / 'JPEGImages' / f'{NAME}.jpg'


@pytest.mark.parametrize('write', [_grey, _cmyk, _sixteen_bit, _one_pixel, _very_wide])
@pytest.mark.parametrize('pipeline', PIPELINES)
def test_strange_images_pass(build_voc, image, write, pipeline):
    write(image)
    with Image.open(image) as picture:
        Image.new('L', picture.size).save(image.parents[1] / f'SegmentationClass/{NAME}.png')
    split = 'train' if pipeline == 'train_pipeline' else 'val'
    dataset = build_voc(split, pipeline, ann_file='ImageSets/Segmentation/train.txt')
    with Image.open(image) as picture:
        expected = picture.size[::-1] if pipeline == 'tta_pipeline' else (320, 320)
    for _ in range(3):
        inputs = dataset[0]['inputs']
        assert inputs.dtype == torch.uint8 and inputs.shape == (3, *expected)


def test_sixteen_bits_keep_their_contrast(build_voc, image):
    _sixteen_bit(image)
    mask = image.parents[1] / f'SegmentationClass/{NAME}.png'
    Image.new('L', (50, 40)).save(mask)
    dataset = build_voc('val', ann_file='ImageSets/Segmentation/train.txt')
    view = dataset[0]['inputs'].float()
    assert view[:, 0].mean() < 10 and view[:, -1].mean() > 245
    assert 120 < view.mean() < 135


def test_small_images_are_padded_with_black(build_voc):
    np.random.seed(1)
    dataset = build_voc('train')
    for _ in range(5):
        sample = dataset[0]
        scale_x, scale_y = sample['data_samples'].scale_factor
        height, width = (
            round(size * scale)
            for size, scale in zip(
                sample['data_samples'].ori_shape, (scale_y, scale_x), strict=True
            )
        )
        assert 0.5 <= scale_x * 1.02 and scale_x <= 2
        assert (sample['inputs'][:, height:] == 0).all()
        assert (sample['inputs'][:, :, width:] == 0).all()
        assert sample['inputs'][:, : height - 1, : width - 1].float().std() > 20


def _truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _corrupt_header(path):
    path.write_bytes(path.read_bytes()[:2] + b'\0' * 100 + path.read_bytes()[102:])


@pytest.mark.parametrize(
    ('damage', 'reason'),
    [
        (_truncate, 'is a truncated JPEG'),
        (_corrupt_header, 'is not a readable image'),
        (lambda path: path.write_bytes(b''), 'is an empty file'),
        (lambda path: path.write_text('hello\n' * 50), 'is not a readable image'),
        (lambda path: path.unlink(), 'does not exist'),
    ],
)
@pytest.mark.parametrize('pipeline', PIPELINES)
def test_broken_images_are_named(build_voc, image, damage, reason, pipeline):
    dataset = build_voc('train', pipeline)
    damage(image)
    with pytest.raises(ValueError, match=rf'{NAME}.jpg {reason}.*, or take it out'):
        dataset[0]
