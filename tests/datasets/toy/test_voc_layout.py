import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from mmseg_excel.datasets.toy.palette import TOY_PALETTE
from mmseg_excel.datasets.toy.voc_layout import with_borders, write_voc_layout
from mmseg_excel.text.vocabulary import TOY_CLASSES

ROOT = Path(__file__).parents[3]
ARGUMENTS = dict(num_train=5, num_val=3, size=64, seed=1)


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    return write_voc_layout(tmp_path_factory.mktemp('toy'), **ARGUMENTS)


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob('*') if path.is_file()
    }


def split(world, name):
    return (world / f'ImageSets/Segmentation/{name}.txt').read_text().splitlines()


def test_splits_part_the_images(world):
    names = sorted(path.stem for path in (world / 'JPEGImages').glob('*.jpg'))
    assert len(split(world, 'train')) == 5 and len(split(world, 'val')) == 3
    assert sorted(split(world, 'train') + split(world, 'val')) == names
    assert split(world, 'train_aug') == split(world, 'train')
    assert sorted(split(world, 'trainval')) == names


def test_masks_are_palette_images_with_ignored_borders(world):
    for path in (world / 'SegmentationClass').glob('*.png'):
        image = Image.open(path)
        assert image.mode == 'P'
        assert image.getpalette()[: 3 * len(TOY_PALETTE)] == list(sum(TOY_PALETTE, ()))
        mask = np.array(image)
        assert set(np.unique(mask)) <= {*range(len(TOY_CLASSES) + 1), 255}
        assert 0.005 < np.mean(mask == 255) < 0.25
        sides = (mask[:, 1:], mask[:, :-1]), (mask[1:], mask[:-1])
        for a, b in sides:  # no two classes touch: a border lies between them
            assert not np.any((a != b) & (a != 255) & (b != 255))


def test_borders_are_two_pixels_wide_and_nothing_else():
    mask = np.zeros((8, 8), np.uint8)
    mask[:, 4:] = 3
    edged = with_borders(mask)
    assert edged[0].tolist() == [0, 0, 0, 255, 255, 3, 3, 3]


def test_annotations_agree_with_masks(world):
    for path in (world / 'Annotations').glob('*.xml'):
        root = ElementTree.parse(path).getroot()
        mask = np.array(Image.open(world / f'SegmentationClass/{path.stem}.png'))
        assert (world / 'JPEGImages' / root.findtext('filename')).is_file()
        assert root.findtext('size/width') == root.findtext('size/height') == '64'
        names = {node.findtext('name') for node in root.iter('object')}
        assert names == {TOY_CLASSES[v - 1] for v in np.unique(mask) if 0 < v < 255}
        for node in root.iter('object'):
            left, top, right, bottom = (
                int(node.findtext(f'bndbox/{key}')) for key in ('xmin', 'ymin', 'xmax', 'ymax')
            )
            assert 1 <= left < right <= 64 and 1 <= top < bottom <= 64
            value = TOY_CLASSES.index(node.findtext('name')) + 1
            rows, columns = np.nonzero(mask == value)
            assert left <= columns.min() + 1 <= columns.max() + 1 <= right
            assert top <= rows.min() + 1 <= rows.max() + 1 <= bottom


def test_writing_again_changes_nothing(world):
    before = {path: path.stat().st_mtime_ns for path in world.rglob('*')}
    assert write_voc_layout(world.parent, **ARGUMENTS) == world
    assert {path: path.stat().st_mtime_ns for path in world.rglob('*')} == before


def test_the_seed_alone_decides_the_world(world, tmp_path):
    assert contents(write_voc_layout(tmp_path / 'same', **ARGUMENTS)) == contents(world)
    other = write_voc_layout(tmp_path / 'other', **{**ARGUMENTS, 'seed': 2})
    first = 'JPEGImages/toy_000000.jpg'
    assert (other / first).read_bytes() != (world / first).read_bytes()


def test_another_world_is_not_overwritten(world):
    before = contents(world)
    with pytest.raises(FileExistsError, match='not the toy world asked for'):
        write_voc_layout(world.parent, **{**ARGUMENTS, 'seed': 2})
    assert contents(world) == before


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError('disk full')

    monkeypatch.setattr('mmseg_excel.datasets.toy.voc_layout.with_borders', fail)
    with pytest.raises(OSError, match='disk full'):
        write_voc_layout(tmp_path, **ARGUMENTS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('name', ['num_train', 'num_val', 'size', 'seed'])
def test_too_small_numbers_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match=name):
        write_voc_layout(tmp_path, **{**ARGUMENTS, name: -1})
    assert list(tmp_path.iterdir()) == []


def test_command_line_says_what_is_wrong_and_exits_with_2(tmp_path):
    command = [sys.executable, 'tools/make_toy_world.py', str(tmp_path), '--size', '8']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert 'size is 8' in done.stderr and 'Traceback' not in done.stderr
    assert list(tmp_path.iterdir()) == []
