"""From the original VOC and SBD downloads to what the VOC config reads; every bad file is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mmseg_excel.datasets import VOCTagsDataset
from mmseg_excel.datasets.masks import read_mask
from mmseg_excel.datasets.palette import voc_palette

from ..tools import run_tool
from ..voc_devkit import annotation, make_voc_devkit, striped_mask, write_mask

TRAIN = {'2007_000032': ['aeroplane', 'person'], '2007_000039': ['tvmonitor']}
VAL = {'2007_000033': ['aeroplane']}
TEST = {'2008_000001': []}
EXTRA = {'2008_000003': ['person', 'train'], '2011_003271': ['chair']}
SPLITS = 'ImageSets/Segmentation'


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """VOC 2012; the images of EXTRA have annotations but no mask of VOC's own."""
    lists = dict(train=TRAIN, val=VAL, test=TEST, extra=EXTRA)
    root = make_voc_devkit(tmp_path / 'VOCdevkit', lists)
    (root / SPLITS / 'extra.txt').unlink()
    for name in [*EXTRA, *TEST]:
        (root / 'SegmentationClass' / f'{name}.png').unlink()
    (root / 'Annotations/2008_000001.xml').unlink()
    return root


@pytest.fixture
def sbd(tmp_path: Path, voc: Path) -> Path:
    """SBD as its archive unpacks; one image is in VOC's train list, one in its val list."""
    root = tmp_path / 'benchmark_RELEASE/dataset'
    (root / 'cls').mkdir(parents=True)
    (root / 'train.txt').write_text('2008_000003\n2007_000032\n')
    (root / 'val.txt').write_text('2011_003271\n2007_000033\n')
    for name in [*EXTRA, '2007_000032', '2007_000033']:
        with Image.open(voc / f'JPEGImages/{name}.jpg') as image:
            mask = np.full(image.size[::-1], 7, np.uint8)  # a car, unlike VOC's masks
        if name in EXTRA:
            mask = striped_mask(*mask.shape, EXTRA[name])
            mask[mask == 255] = 0  # SBD has no borders
        write_sbd_mask(root / f'cls/{name}.mat', mask)
    return root


def write_sbd_mask(path: Path, mask: np.ndarray) -> None:
    boundaries = np.empty((20, 1), object)
    boundaries[:] = [[np.zeros((2, 2))]] * 20
    present = np.setdiff1d(mask, [0])[:, None]
    content = dict(Boundaries=boundaries, Segmentation=mask, CategoriesPresent=present)
    savemat(path, dict(GTcls=content), do_compression=True)


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob('*') if path.is_file()}


def tag_table(voc: Path) -> dict[str, list[str]]:
    return json.loads((voc / SPLITS / 'tags.json').read_text())


def test_train_aug_is_train_and_sbd_without_val(voc, sbd, capsys):
    assert run_tool('prepare_voc', voc, '--sbd', sbd, '--any-size', '--workers', 2) == 0
    names = (voc / SPLITS / 'train_aug.txt').read_text().split()
    assert names == ['2007_000032', '2007_000039', '2008_000003', '2011_003271']
    assert capsys.readouterr().out.split() == (
        ['train', '2', 'val', '1', 'test', '1', 'train_aug', '4', 'masks', '5']
    )
    config = dict(data_root=str(voc), pipeline=[])
    prefix = dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug')
    dataset = VOCTagsDataset(f'{SPLITS}/train_aug.txt', data_prefix=prefix, **config)
    tags = {**TRAIN, **EXTRA}
    assert [set(info['tags']) for info in dataset] == [set(tags[name]) for name in names]


def test_vocs_own_masks_win_and_sbds_keep_every_pixel(voc, sbd):
    run_tool('prepare_voc', voc, '--sbd', sbd, '--any-size', '--workers', 1)
    for name, tags in {**TRAIN, **VAL, **EXTRA}.items():
        path = voc / f'SegmentationClassAug/{name}.png'
        with Image.open(path) as image:
            assert image.mode == 'P'
            assert image.getpalette() == sum(voc_palette(), [])
            mask = np.array(image)
        if name in EXTRA:
            expected = striped_mask(*mask.shape, tags)
            expected[expected == 255] = 0
        else:
            expected = read_mask(voc / f'SegmentationClass/{name}.png', 21)
        assert np.array_equal(mask, expected)


def test_tags_come_from_xml_or_masks(voc, sbd):
    everything = {**TRAIN, **VAL, **EXTRA}
    # An object that only the annotation knows.
    (voc / 'Annotations/2008_000003.xml').write_text(annotation('', 9, 9, ['person', 'cat']))
    run_tool('prepare_voc', voc, '--sbd', sbd, '--any-size')
    assert tag_table(voc) == everything | {'2008_000003': ['person', 'cat']}
    run_tool('prepare_voc', voc, '--sbd', sbd, '--any-size', '--tags', 'mask')
    expected = everything | {'2008_000003': ['person', 'train']}
    assert {name: sorted(tags) for name, tags in tag_table(voc).items()} == expected


def test_a_second_run_changes_nothing_and_an_interrupted_one_is_finished(voc, sbd):
    command = ('prepare_voc', voc, '--sbd', sbd, '--any-size')
    run_tool(*command)
    finished = snapshot(voc)
    assert run_tool(*command) == 0
    assert snapshot(voc) == finished
    (voc / 'SegmentationClassAug/2008_000003.png').unlink()
    (voc / SPLITS / 'train_aug.txt').unlink()
    assert run_tool(*command) == 0
    assert snapshot(voc) == finished


def test_without_sbd_the_lists_are_checked_and_the_rest_is_explained(voc, capsys):
    assert run_tool('prepare_voc', voc.parent, '--any-size') == 0
    assert 'No train_aug.txt: it needs SBD' in capsys.readouterr().out
    assert tag_table(voc) == {**TRAIN, **VAL}
    # Somebody else's train_aug list needs no masks.
    (voc / SPLITS / 'train_aug.txt').write_text('\n'.join([*TRAIN, *EXTRA]))
    assert run_tool('prepare_voc', voc, '--any-size') == 0
    assert tag_table(voc) == {**TRAIN, **EXTRA, **VAL}
    assert not (voc / 'SegmentationClassAug').exists()


def test_sizes_are_vocs_own(voc, sbd, capsys):
    assert run_tool('prepare_voc', voc, '--sbd', sbd) == 2
    complaint = capsys.readouterr().err
    assert 'train_aug has 4 images, VOC 2012 has 10582' in complaint
    assert 'val has 1 images, VOC 2012 has 1449' in complaint


def test_every_bad_file_is_named_and_nothing_is_written(voc, sbd, capsys):
    images, masks, annotations = voc / 'JPEGImages', voc / 'SegmentationClass', voc / 'Annotations'
    (voc / SPLITS / 'train.txt').write_text('2007_000032\n2007_000039\n../up\n2007_000039\n')
    (voc / SPLITS / 'val.txt').write_text('2007_000033\n2007_000032\n')
    (images / '2011_003271.jpg').write_bytes((images / '2011_003271.jpg').read_bytes()[:700])
    (images / '2008_000001.jpg').unlink()
    (annotations / '2008_000003.xml').unlink()
    (annotations / '2007_000039.xml').write_text('<annotation>')
    (annotations / '2007_000033.xml').write_text(annotation('', 9, 9, ['dragon']))
    (masks / '2007_000032.png').write_bytes((masks / '2007_000032.png').read_bytes()[:-30])
    Image.open(masks / '2007_000039.png').convert('RGB').save(masks / '2007_000039.png')
    write_mask(masks / '2007_000033.png', np.full((3, 3), 21, np.uint8))
    write_sbd_mask(sbd / 'cls/2008_000003.mat', np.zeros((3, 3), np.uint8))
    before = snapshot(voc)

    assert run_tool('prepare_voc', voc, '--sbd', sbd, '--any-size', '--workers', 2) == 2
    assert snapshot(voc) == before
    complaint = capsys.readouterr().err
    for sentence in (
        "lines that leave the image folder (1):\n  '../up'",
        'images listed twice (1):\n  2007_000039',
        'images both trained on and held out (1):\n  2007_000032',
        '2011_003271.jpg is a truncated JPEG',
        '2008_000001.jpg does not exist',
        'tags missing (1)',
        '2008_000003.xml',
        '2007_000039.xml is not XML',
        "'dragon' (",
        '2007_000032.png is not a readable image',
        '2007_000039.png is a colour image (RGB)',
        '2007_000033.png holds the values [21]',
        '2008_000003.jpg has another size',
    ):
        assert sentence in complaint
    assert 'Traceback' not in complaint


@pytest.mark.parametrize(
    ('damage', 'sentence'),
    [
        (lambda path: path.unlink(), '2011_003271.mat does not exist'),
        (lambda path: path.write_bytes(b'MATLAB 5.0' * 30), 'is not one of SBD'),
        (lambda path: savemat(path, dict(GTinst=1)), 'is not one of SBD'),
        (
            lambda path: write_sbd_mask(path, np.full((9, 9), 40, np.uint8)),
            r'holds the values [40]',
        ),
    ],
)
def test_bad_sbd_masks_are_named(voc, sbd, capsys, damage, sentence):
    damage(sbd / 'cls/2011_003271.mat')
    assert run_tool('prepare_voc', voc, '--sbd', sbd, '--any-size') == 2
    assert sentence in capsys.readouterr().err
    assert not (voc / 'SegmentationClassAug').exists()


def test_missing_downloads_are_named_with_their_origin(voc, tmp_path, capsys):
    assert run_tool('prepare_voc', tmp_path / 'nowhere') == 2
    assert 'VOCtrainval_11-May-2012.tar' in capsys.readouterr().err
    assert run_tool('prepare_voc', voc, '--sbd', tmp_path) == 2
    assert 'benchmark_RELEASE/dataset' in capsys.readouterr().err
    assert run_tool('prepare_voc', voc, '--tags', 'caption') == 2
