"""Somebody's own images: a folder, a table, ten lines of config."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS
from PIL import Image

from mmseg_excel.datasets import TagListDataset
from mmseg_excel.datasets.masks import write_mask

from .conftest import CONFIGS

CLASSES = ('cat', 'dining table', 'fork')
IMAGES = {'cats/one.jpg': ['dining table', 'cat'], 'two.PNG': [], 'v1.2.jpeg': ['fork']}

MY_CONFIG = """
from mmengine.config import read_base
with read_base():
    from mmseg_excel.configs.excel_tags import *

classes = ('cat', 'dining table', 'fork')
mine = dict(data_root={root!r}, classes=classes)
train_dataloader.dataset.update(mine)
val_dataloader.dataset.update(mine)
test_dataloader = val_dataloader
model.text_head.update(vocabulary=dict(classes=classes))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for file in IMAGES:
        path = tmp_path / 'images' / file
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (60, 50), (90, 120, 200)).save(path)
    for name, label in (('cats/one', 1), ('two', 0), ('v1.2', 3)):
        write_mask(tmp_path / f'masks/{name}.png', np.full((50, 60), label, np.uint8))
    rows = [f'{image},{";".join(tags)}' for image, tags in IMAGES.items()]
    for table in ('train.csv', 'val.csv'):
        (tmp_path / table).write_text('\n'.join(['image,tags', *rows]))
    return tmp_path


def build(root: Path, ann_file: str = 'train.csv', **kwargs) -> TagListDataset:
    kwargs = dict(data_prefix=dict(img_path='images'), classes=CLASSES) | kwargs
    return TagListDataset(ann_file, data_root=str(root), **kwargs)


def test_ten_lines_of_config_are_enough(root):
    (root / 'mine.py').write_text(MY_CONFIG.format(root=str(root)))
    config = Config.fromfile(root / 'mine.py')
    train, val = (DATASETS.build(config[f'{part}_dataloader'].dataset) for part in ('train', 'val'))
    expected = [[1, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert [sample['data_samples'].gt_tags.multi_hot.tolist() for sample in train] == expected
    labels = [sample['data_samples'].gt_sem_seg.data.unique().tolist() for sample in val]
    assert labels == [[1], [0], [3]]
    assert len(val.metainfo['palette']) == 4
    assert config.test_dataloader.dataset.data_root == str(root)


def test_names_are_paths_without_suffix(root):
    infos = [build(root).get_data_info(index) for index in range(3)]
    assert [info['name'] for info in infos] == ['cats/one', 'two', 'v1.2']
    assert [Path(info['img_path']).name for info in infos] == ['one.jpg', 'two.PNG', 'v1.2.jpeg']


def test_tables_may_leave_out_suffixes_and_lists_may_choose_rows(root):
    table = {name.rsplit('.', 1)[0]: tags for name, tags in IMAGES.items()}
    (root / 'all.json').write_text(json.dumps(table))
    (root / 'some.txt').write_text('v1.2\ncats/one\n')
    dataset = build(root, 'some.txt', tag_source=dict(type='TableTags', file='all.json'))
    assert [dataset.get_data_info(index)['tags'] for index in (0, 1)] == [
        ['fork'],
        ['dining table', 'cat'],
    ]
    assert len(build(root, 'all.json')) == 3


def test_masks_without_background_start_with_the_first_class(root):
    write_mask(root / 'masks/two.png', np.array([[0, 255] * 30] * 50, np.uint8))
    write_mask(root / 'masks/v1.2.png', np.full((50, 60), 2, np.uint8))
    prefix = dict(img_path='images', seg_map_path='masks')
    pipeline = Config.fromfile(CONFIGS / 'pipelines.py').test_pipeline
    dataset = build(root, data_prefix=prefix, pipeline=pipeline, masks_have_background=False)
    labels = [sample['data_samples'].gt_sem_seg.data.unique().tolist() for sample in dataset]
    assert labels == [[2], [1, 255], [3]]


def test_everything_wrong_with_a_table_is_told_at_once(root):
    rows = ['image,tags', 'two.PNG,cat', 'two.jpg,', 'ghost.jpg,fork', '../up.jpg,cat', 'v1.2,dog']
    (root / 'train.csv').write_text('\n'.join(rows))
    with pytest.raises(ValueError) as caught:
        build(root)
    message = str(caught.value)
    assert 'listed twice (1): two' in message
    assert 'images missing (1)' in message and 'ghost.jpg' in message
    assert "leave the image folder (1): '../up'" in message
    assert "'dog' (v1.2 in" in message and 'cat, dining table, fork' in message


@pytest.mark.parametrize('classes', [(), 'cat', ('cat', 'cat'), ('background', 'cat'), ('cat', 3)])
def test_classes_are_distinct_names(root, classes):
    with pytest.raises(ValueError, match='TagListDataset.classes'):
        build(root, classes=classes)


def test_missing_table(root):
    with pytest.raises(FileNotFoundError, match="no table of tags '.*nothing.csv'"):
        build(root, 'nothing.csv')


@pytest.fixture
def voc_like(tmp_path: Path) -> Path:
    """The layout of the documentation's complete example: one table, lists, no background."""
    random = np.random.default_rng(0)
    tags = {}
    for number in range(6):
        name = f'{number}_s'
        mask = random.integers(0, len(CLASSES), (8, 9)).astype(np.uint8)
        mask[mask == number % len(CLASSES)] = 255
        write_mask(tmp_path / f'SegmentationClass/{name}.png', mask)
        tags[name] = [CLASSES[label] for label in np.unique(mask) if label != 255]
        (tmp_path / 'JPEGImages').mkdir(exist_ok=True)
        Image.new('RGB', (9, 8)).save(tmp_path / f'JPEGImages/{name}.jpg')
    (tmp_path / 'image_labels.json').write_text(json.dumps(tags))
    (tmp_path / 'ImageSets/Segmentation').mkdir(parents=True)
    (tmp_path / 'ImageSets/Segmentation/val.txt').write_text('4_s\n1_s\n0_s\n')
    return tmp_path


def test_tags_of_listed_images_are_those_of_their_masks(voc_like):
    dataset = TagListDataset(
        'ImageSets/Segmentation/val.txt',
        data_root=str(voc_like),
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        classes=CLASSES,
        masks_have_background=False,
        tag_source=dict(type='TableTags', file='image_labels.json'),
    )
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert [info['name'] for info in infos] == ['4_s', '1_s', '0_s']
    for info in infos:
        labels = np.unique(np.array(Image.open(info['seg_map_path'])))
        assert info['tags'] == [CLASSES[label] for label in labels if label != 255]
