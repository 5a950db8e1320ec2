"""From the original COCO download to what the COCO config reads; every bad file is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmseg.registry import DATASETS
from PIL import Image
from pycocotools.coco import COCO

from mmseg_excel.datasets.masks import read_mask
from mmseg_excel.text.vocabulary import COCO_CLASSES

from ..coco_download import CATEGORY_IDS, make_coco_download, write_annotations
from ..conftest import CONFIGS
from ..tools import run_tool


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    make_coco_download(tmp_path, 'train', 7)
    make_coco_download(tmp_path, 'val', 3, first_id=100, seed=1)
    return tmp_path


def prepare(root: Path, *args, workers: int = 1) -> int:
    return run_tool('prepare_coco', root, '--any-size', '--workers', workers, *args)


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob('*') if path.is_file()}


def annotations(coco: Path, split: str = 'train') -> dict:
    return json.loads((coco / f'annotations/instances_{split}2014.json').read_text())


def stem(number: int, split: str = 'train') -> str:
    return f'COCO_{split}2014_{number:012}'


def test_masks_show_the_smallest_object_at_every_pixel(coco):
    assert prepare(coco, workers=2) == 0
    api = COCO(coco / 'annotations/instances_train2014.json')
    for number in range(1, 7):
        mask = read_mask(coco / f'SegmentationClass/train2014/{stem(number)}.png', 81)
        objects = sorted(api.imgToAnns[number], key=lambda annotation: annotation['area'])
        covering = np.stack([api.annToMask(annotation) for annotation in objects])
        labels = [1 + CATEGORY_IDS.index(annotation['category_id']) for annotation in objects]
        expected = np.where(covering.any(0), np.array(labels)[covering.argmax(0)], 0)
        assert np.array_equal(mask, expected)
        assert len(np.unique(mask)) > 2


def test_lists_and_tags_are_what_the_config_reads(coco):
    prepare(coco)
    config = Config.fromfile(CONFIGS / 'coco.py')
    for split, numbers in (('train', range(1, 7)), ('val', range(100, 102))):
        settings = config[f'{split}_dataloader'].dataset
        settings.data_root = str(coco)
        dataset = DATASETS.build(settings)
        names = [
            Path(dataset.get_data_info(index)['img_path']).stem for index in range(len(dataset))
        ]
        # The image without annotations, the last one, is left out.
        assert names == [stem(number, split) for number in numbers]
        for index, number in enumerate(numbers):
            sample = dataset[index]['data_samples']
            expected = {
                CATEGORY_IDS.index(annotation['category_id'])
                for annotation in annotations(coco, split)['annotations']
                if annotation['image_id'] == number
            }
            assert set(sample.gt_tags.multi_hot.nonzero().flatten().tolist()) == expected
            assert ('gt_sem_seg' in sample) == (split == 'val')
    assert len(dataset.metainfo['classes']) == len(dataset.metainfo['palette']) == 81


def test_tags_from_the_original_file_are_those_of_the_table(coco):
    prepare(coco)
    config = Config.fromfile(CONFIGS / 'coco.py').train_dataloader.dataset
    config.data_root = str(coco)
    from_table = [info['tags'] for info in map(DATASETS.build(config).get_data_info, range(6))]
    config.tag_source = dict(type='COCOTags', file='annotations/instances_train2014.json')
    from_file = [info['tags'] for info in map(DATASETS.build(config).get_data_info, range(6))]
    assert from_table == from_file and all(from_table)


def test_a_stopped_run_continues(coco):
    prepare(coco)
    finished = snapshot(coco)
    kept = coco / f'SegmentationClass/train2014/{stem(1)}.png'
    before = kept.stat().st_mtime_ns
    (coco / f'SegmentationClass/train2014/{stem(2)}.png').unlink()
    (coco / 'ImageSets/train.txt').unlink()
    assert prepare(coco) == 0
    assert snapshot(coco) == finished
    assert kept.stat().st_mtime_ns == before


def test_one_and_two_workers_make_the_same_files(coco, tmp_path_factory):
    other = tmp_path_factory.mktemp('other')
    make_coco_download(other, 'train', 7)
    prepare(other, '--splits', 'train', workers=2)
    prepare(coco, '--splits', 'train', workers=1)
    for path in (coco / 'SegmentationClass/train2014').iterdir():
        assert path.read_bytes() == (other / path.relative_to(coco)).read_bytes()
    assert (coco / 'tags/train.json').read_text() == (other / 'tags/train.json').read_text()


def test_bad_entries_are_all_named_before_anything_is_written(coco, capsys):
    content = annotations(coco)
    content['images'][0]['file_name'] = '../../../etc/passwd.jpg'
    content['images'].append(dict(content['images'][1]))
    content['images'].append(dict(id=50, file_name='no_size.jpg'))
    by_id = {annotation['id']: annotation for annotation in content['annotations']}
    by_id[3]['category_id'] = 12
    by_id[4]['image_id'] = 999
    del by_id[5]['segmentation']
    write_annotations(coco, 'train', content)
    before = snapshot(coco)
    assert prepare(coco) == 2
    complaint = capsys.readouterr().err
    for sentence in (
        'etc/passwd.jpg',
        'no_size.jpg',
        f'images listed twice (1):\n  {stem(2)}.jpg (id 2)',
        'unknown categories (1):\n  annotation 3 (12)',
        'annotation 4',
        'without image, area or segmentation (1):\n  annotation 5',
    ):
        assert sentence in complaint
    assert snapshot(coco) == before


@pytest.mark.parametrize(
    ('damage', 'sentence'),
    [
        (lambda text: text[:-500], 'is not whole JSON'),
        (lambda text: 'hello', 'is not whole JSON'),
        (lambda text: text.replace('"person"', '"persona"'), 'not classes: persona'),
        (lambda text: '{}', 'classes without a category: airplane'),
    ],
)
def test_bad_files_are_named(coco, capsys, damage, sentence):
    path = coco / 'annotations/instances_train2014.json'
    path.write_text(damage(path.read_text()))
    assert prepare(coco) == 2
    complaint = capsys.readouterr().err
    assert sentence in complaint and path.name in complaint
    assert not (coco / 'SegmentationClass').exists()
    assert not list(coco.glob('.coco_index*'))


def test_bad_images_and_shapes_are_named_and_no_list_is_written(coco, capsys):
    images = coco / 'train2014'
    (images / f'{stem(1)}.jpg').unlink()
    (images / f'{stem(2)}.jpg').write_bytes((images / f'{stem(2)}.jpg').read_bytes()[:400])
    Image.new('RGB', (9, 9)).save(images / f'{stem(3)}.jpg')
    content = annotations(coco)
    broken = {4: [[1, 2, 3, 4, 5, 6, 7]], 5: dict(counts=[5], size=[64, 80]), 6: dict(size=[1, 1])}
    for annotation in content['annotations']:
        annotation['segmentation'] = broken.get(annotation['image_id'], annotation['segmentation'])
    write_annotations(coco, 'train', content)
    assert prepare(coco, workers=2) == 2
    complaint = capsys.readouterr().err
    for number, reason in enumerate(
        ['does not exist', 'is a truncated JPEG', 'is of another size'], start=1
    ):
        assert f'{stem(number)}.jpg {reason}' in complaint
    for number, reason in {4: 'odd number', 5: 'do not add up', 6: 'its size is [1, 1]'}.items():
        assert f'{stem(number)}.jpg: annotation' in complaint and reason in complaint
    assert not (coco / 'ImageSets').exists() and not (coco / 'tags').exists()


def test_polygons_of_two_points_cover_nothing(coco):
    content = annotations(coco)
    for annotation in content['annotations']:
        annotation['segmentation'] = [[1, 2, 30, 40]]
    write_annotations(coco, 'train', content)
    assert prepare(coco) == 0
    assert not read_mask(coco / f'SegmentationClass/train2014/{stem(1)}.png', 81).any()


def test_sizes_and_downloads(coco, tmp_path, capsys):
    assert run_tool('prepare_coco', coco) == 2
    assert '7 images, COCO 2014 has 82783' in capsys.readouterr().err
    assert run_tool('prepare_coco', tmp_path / 'nowhere') == 2
    assert 'annotations_trainval2014.zip' in capsys.readouterr().err


def test_classes_are_in_the_order_of_the_category_ids(coco):
    names = {category['id']: category['name'] for category in annotations(coco)['categories']}
    assert tuple(names[number] for number in sorted(names)) == COCO_CLASSES
