"""What the VOC data set reads, and how it complains."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.dataset import ClassBalancedDataset
from PIL import Image

from mmseg_excel.datasets.palette import voc_palette
from mmseg_excel.text.vocabulary import VOC_CLASSES

from .conftest import TRAIN, VAL
from .voc_devkit import annotation, write_mask


def test_tags_come_from_the_xml_as_it_names_them_first(build_voc):
    dataset = build_voc()
    tags = [dataset.get_data_info(index)['tags'] for index in range(len(dataset))]
    # Twice a person is one tag, a difficult object counts, a person's head does not.
    assert tags == [
        ['person', 'aeroplane'],
        ['tvmonitor'],
        [],
        ['chair', 'diningtable', 'bottle'],
    ]


def test_samples_carry_multi_hot_tags(build_voc):
    for split, images in (('train', TRAIN), ('val', VAL)):
        for sample, tags in zip(build_voc(split), images.values(), strict=True):
            expected = torch.tensor([float(name in tags) for name in VOC_CLASSES])
            assert torch.equal(sample['data_samples'].gt_tags.multi_hot, expected)


def test_masks_are_loaded_at_the_size_of_the_file(build_voc, voc):
    sample = build_voc('val')[1]
    mask = np.array(Image.open(voc / 'SegmentationClass/2007_000042.png'))
    assert sample['inputs'].shape == (3, 320, 320)
    assert np.array_equal(sample['data_samples'].gt_sem_seg.data[0].numpy(), mask)
    assert set(np.unique(mask)) == {0, 15, 19, 255}


def test_views_are_left_to_the_model(build_voc, voc):
    sample = build_voc('val', 'tta_pipeline')[0]
    with Image.open(voc / 'JPEGImages/2007_000033.jpg') as image:
        assert sample['inputs'].shape == (3, image.height, image.width)
    assert sample['inputs'].shape[1:] == sample['data_samples'].gt_sem_seg.shape


def test_palette_is_vocs():
    # From the VOC development kit: aeroplane, tvmonitor, the border.
    palette = voc_palette()
    assert palette[1] == [128, 0, 0] and palette[20] == [0, 64, 128]
    assert palette[255] == [224, 224, 192]


def test_missing_root_and_list_are_named(build_voc, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere does not exist.*prepare_voc'):
        build_voc(data_root=str(tmp_path / 'nowhere'))
    with pytest.raises(FileNotFoundError, match=r"no list of images '.*no_list.txt'"):
        build_voc(ann_file='ImageSets/Segmentation/no_list.txt')


def test_one_error_tells_everything_that_is_wrong(build_voc, voc):
    listed = [f'2012_{number:06}' for number in range(8)]
    with (voc / 'ImageSets/Segmentation/train_aug.txt').open('a') as file:
        file.write('\n'.join(listed + ['../../etc/passwd', '/etc/passwd', '2007_000032']))
    (voc / 'Annotations/2007_000039.xml').write_text(annotation('', 9, 9, ['cat', 'unicorn']))
    (voc / 'Annotations/2008_000008.xml').write_text('<annotation><object>')
    with pytest.raises(ValueError) as caught:
        build_voc()
    message = str(caught.value)
    assert 'images missing (8)' in message and '2012_000004.jpg and 3 more' in message
    assert 'tags missing (8)' in message and '2012_000000.xml' in message
    assert "'../../etc/passwd', '/etc/passwd'" in message
    assert 'listed twice (1): 2007_000032' in message
    assert 'aeroplane, bicycle' in message and "'unicorn' (" in message
    assert '2007_000039.xml' in message
    assert '2008_000008.xml is not XML' in message


def test_missing_mask_is_found_only_where_masks_are_asked_for(build_voc, voc):
    (voc / 'SegmentationClass/2007_000033.png').unlink()
    build_voc('train')
    with pytest.raises(ValueError, match=r'masks missing \(1\): .*2007_000033.png'):
        build_voc('val')


def test_colour_mask_and_mask_of_another_size_are_named(build_voc, voc):
    dataset = build_voc('val')
    path = voc / 'SegmentationClass/2007_000033.png'
    Image.open(path).convert('RGB').save(path)
    with pytest.raises(ValueError, match='2007_000033.png is a colour image'):
        dataset[0]
    write_mask(path, np.zeros((7, 5), np.uint8))
    with pytest.raises(ValueError, match=r'2007_000033.png has \(5, 7\) pixels, but its image'):
        dataset[0]
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match='2007_000033.png is not a readable image'):
        dataset[0]


def test_samples_know_which_tag_was_named_first(build_voc):
    tags = build_voc()[0]['data_samples'].gt_tags
    first, second = (VOC_CLASSES.index(name) for name in ('person', 'aeroplane'))
    assert tags.order[first] == 0 and tags.order[second] == 1
    assert tags.order[VOC_CLASSES.index('cat')] == 2


def test_rare_classes_can_be_repeated(build_voc):
    dataset = build_voc()
    labels = [VOC_CLASSES.index(name) + 1 for name in ('person', 'aeroplane')]
    assert dataset.get_cat_ids(0) == labels
    balanced = ClassBalancedDataset(dataset, oversample_thr=0.9)
    assert len(balanced) > len(dataset)
