"""Bad COCO annotations: entries, polygons and run lengths."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mmseg_excel.datasets.prepare import prepare_coco
from mmseg_excel.datasets.prepare.coco_shapes import area_of
from mmseg_excel.datasets.tag_sources import COCOTags
from mmseg_excel.text.vocabulary import COCO_CLASSES

from ..datasets.coco_download import CATEGORY_IDS, make_coco_download, write_annotations
from .case import Case, tool
from .test_data import header_only_png, sparse, special

NAN, INFINITY = float('nan'), float('inf')
SIZE = HEIGHT, WIDTH = 32, 48
FILE = 'annotations/instances_train2014.json'
FIRST = 'COCO_train2014_000000000001'


def prepared(change: Callable[[dict], object]) -> Callable[[Path], object]:
    """Prepare a download whose annotations were changed."""

    def act(folder: Path) -> None:
        content = make_coco_download(folder, 'train', 2, size=SIZE, num_objects=2)
        change(content)
        write_annotations(folder, 'train', content)
        try:
            tool('prepare_coco', folder, '--splits', 'train', '--any-size', '--workers', 1)
        finally:
            assert not (folder / 'ImageSets').exists() and not (folder / 'tags').exists()

    return act


def annotation(**fields) -> Callable[[Path], object]:
    return prepared(lambda content: content['annotations'][0].update(fields))


def entry(**fields) -> Callable[[Path], object]:
    return prepared(lambda content: content['images'][0].update(fields))


def bad_file(content: str | bytes) -> Callable[[Path], object]:
    def act(folder: Path) -> None:
        make_coco_download(folder, 'train', 2, size=SIZE)
        (folder / FILE).write_bytes(content if isinstance(content, bytes) else content.encode())
        tool('prepare_coco', folder, '--splits', 'train', '--any-size', '--workers', 1)

    return act


def of_kind(kind: str) -> Callable[[Path], object]:
    def act(folder: Path) -> None:
        make_coco_download(folder, 'train', 2, size=SIZE)
        special(kind, folder / FILE)
        tool('prepare_coco', folder, '--splits', 'train', '--any-size', '--workers', 1)

    return act


ANNOTATIONS = [
    *[('id', value, 'without image, area or segmentation') for value in (None, '1', 1.5, True, [])],
    *[
        ('image_id', value, 'without image, area or segmentation')
        for value in (None, '1', 1.5, False)
    ],
    ('image_id', 999, 'annotations of unknown images .*annotation 1'),
    *[('category_id', value, 'unknown categories') for value in (None, 12, 0, '1', 1.0, True, [1])],
    *[
        ('area', value, 'without image, area or segmentation')
        for value in (None, -1, '9', True, [1])
    ],
    *[
        ('segmentation', value, 'without image, area or segmentation')
        for value in (None, 'x', 3, True)
    ],
]
ENTRIES = [
    *[('id', value, 'unusable image entries') for value in (None, '1', 1.5, True)],
    *[
        ('height', value, 'unusable image entries')
        for value in (None, 0, -1, '9', 1.5, True, 10**9)
    ],
    *[
        ('file_name', value, 'unusable image entries')
        for value in (None, '', 3, ['a'], '/etc/passwd', '../a.jpg', 'x/../../a.jpg', 'a\0.jpg')
    ],
    ('id', 2, 'images listed twice'),
    ('id', 2**70, 'not whole JSON .*integer overflow'),
    ('file_name', 'COCO_train2014_000000000002.png', 'images listed twice'),
    ('file_name', './COCO_train2014_000000000002.jpg', 'images listed twice'),
    ('file_name', 'ghost.jpg', 'ghost.jpg does not exist'),
    ('width', WIDTH + 1, f'{FIRST}.jpg is of another size than its annotations'),
]
CASES = [
    Case(f'{kind}: {name}={value!r}', act(**{name: value}), says, report=True)
    for kind, act, rows in (('annotation', annotation, ANNOTATIONS), ('image', entry, ENTRIES))
    for name, value, says in rows
]
CASES += [
    Case(
        'an annotation twice',
        prepared(lambda content: content['annotations'].append(content['annotations'][0])),
        'annotations listed twice .*annotation 1',
        report=True,
    ),
    Case(
        'no annotation',
        prepared(lambda content: content['annotations'].clear()),
        'holds no image with an annotation',
    ),
    *[
        Case(
            f'{part} hold {value!r}',
            prepared(lambda content, part=part, value=value: content[part].append(value)),
            f'{part} hold .*, but must hold objects',
        )
        for part in ('images', 'annotations', 'categories')
        for value in (None, 3, 'x', [])
    ],
    *[
        Case(
            f'category {fields}',
            prepared(lambda content, fields=fields: content['categories'][0].update(fields)),
            says,
        )
        for fields, says in (
            (dict(name='cow'), 'classes without a category: person'),
            (dict(name=None), 'the category .* is unusable'),
            (dict(id='1'), 'the category .* is unusable'),
            (dict(id=2), 'the category .* is unusable'),
            (dict(name='x' * 70_000), 'categories that are not classes: x{9}'),
        )
    ],
]
FILES = [
    ('empty', '', 'is not whole JSON'),
    ('NaN', '{"images": [{"id": NaN}]}', 'is not whole JSON'),
    ('a list', '[]', 'classes without a category: airplane'),
    ('UTF-16', '{"images": []}'.encode('utf-16'), 'is not whole JSON'),
    ('Latin', '{"categories": [{"id": 1, "name": "\xe9"}]}'.encode('latin-1'), 'not whole JSON'),
    ('deep', '{"categories": [' + '[' * 100_000, 'is nested too deeply'),
    (
        'huge integers',
        '{"categories": [{"id": 1' + '0' * 5000 + '}]}',
        'not whole JSON .*integer overflow',
    ),
]
CASES += [Case(f'file: {name}', bad_file(content), says) for name, content, says in FILES]
CASES += [
    Case('file is a folder', of_kind('folder'), 'is a folder'),
    Case('file is a pipe', of_kind('pipe'), 'pipe'),
    Case('file is endless', of_kind('device'), 'device'),
    Case(
        'file is of 2 GiB',
        lambda folder: COCOTags(file=str(sparse(folder / 'a.json', 2048)), root='', classes=['a']),
        'MiB, but a.* annotation file has at most',
    ),
]

# ------------------------------------------------------------------------------ shapes

FULL = HEIGHT * WIDTH
SHAPES = [
    ('nothing', [], 'neither a list of polygons nor run lengths'),
    ('a flat list', [1, 2, 30, 2, 30, 20], 'a polygon is not a list of numbers'),
    ('no polygon', [None], 'a polygon is not a list of numbers'),
    ('an empty polygon', [[]], 'no or an odd number of coordinates'),
    ('an odd polygon', [[1, 2, 30, 2, 30, 20, 1]], 'an odd number'),
    ('too deep', [[[1, 2, 30, 2, 30, 20]]], 'not a list of numbers'),
    ('pairs', [[[1, 2], [30, 2], [30, 20]]], 'not a list of numbers'),
    ('strings', [['1', '2', '30', '2', '30', '20']], 'not a list of numbers'),
    ('null', [[1, 2, None, 2, 30, 20]], 'not a list of numbers'),
    ('flags', [[1, 2, True, 2, 30, 20]], 'not a list of numbers'),
    ('NaN', [[1, 2, NAN, 2, 30, 20]], 'leaves the image'),
    ('infinity', [[1, 2, INFINITY, 2, 30, 20]], 'leaves the image'),
    ('1e300', [[1, 2, 1e300, 2, 30, 20]], 'leaves the image by more than 16 pixels'),
    ('a huge integer', [[1, 2, 10**400, 2, 30, 20]], 'leaves the image'),
    ('10^9 pixels', [[0, 0, 31622, 0, 31622, 31622, 0, 31622]], 'leaves the image'),
    ('far to the left', [[-17, 2, 30, 2, 30, 20]], 'leaves the image'),
    ('far below', [[1, 2, 30, 2, 30, HEIGHT + 17]], 'leaves the image'),
    ('a second bad polygon', [[1, 2, 30, 2, 30, 20], [1, 2, 3]], 'an odd number'),
    ('no counts', dict(size=[*SIZE]), 'lack counts'),
    ('no size', dict(counts=[FULL]), 'its size is None'),
    ('another size', dict(size=[WIDTH, HEIGHT], counts=[FULL]), r'its size is \[48, 32\]'),
    ('a huge size', dict(size=[10**9, 10**9], counts=[10**18]), 'its size is'),
    ('no list as size', dict(size=None, counts=[FULL]), 'its size is None'),
    ('a sum too small', dict(size=[*SIZE], counts=[5]), 'do not add up'),
    ('a sum too large', dict(size=[*SIZE], counts=[FULL, 10**12]), 'do not add up'),
    ('negative runs', dict(size=[*SIZE], counts=[-5, FULL + 5]), 'do not add up'),
    ('floats', dict(size=[*SIZE], counts=[float(FULL)]), 'do not add up'),
    ('flags as runs', dict(size=[*SIZE], counts=[True, FULL - 1]), 'do not add up'),
    ('null runs', dict(size=[*SIZE], counts=None), 'do not add up'),
    ('no runs', dict(size=[*SIZE], counts=[]), 'do not add up'),
    ('text of nothing', dict(size=[*SIZE], counts=''), 'do not add up'),
    ('rubbish as text', dict(size=[*SIZE], counts='hello world'), 'no such text|add up|cut off'),
    ('text cut off', dict(size=[*SIZE], counts='oooo'), 'cut off'),
    ('text of a huge run', dict(size=[*SIZE], counts='oooooo0'), 'do not add up'),
    ('text of an endless run', dict(size=[*SIZE], counts='o' * 70_000), 'no such text'),
    ('other characters', dict(size=[*SIZE], counts='\xff\u2028'), 'no such text'),
]
CASES += [
    Case(f'shape: {name}', lambda folder, shape=shape: area_of(shape, *SIZE), says)
    for name, shape, says in SHAPES
]
CASES += [
    Case(
        'a bad shape in a file',
        annotation(segmentation=[[1, 2, 1e300, 2, 30, 20]]),
        r'\.jpg: annotation 1 is malformed \(a polygon leaves the image',
        report=True,
    ),
    Case(
        'a shape of another kind in a file',
        annotation(segmentation=dict(size=[*SIZE], counts=dict())),
        'annotation 1 is malformed',
        report=True,
    ),
]

# ------------------------------------------------------------------------------ arguments


def bad_image(content: bytes) -> Callable[[Path], object]:
    def act(folder: Path) -> None:
        make_coco_download(folder, 'train', 2, size=SIZE)
        (folder / f'train2014/{FIRST}.jpg').write_bytes(content)
        tool('prepare_coco', folder, '--splits', 'train', '--any-size', '--workers', 1)

    return act


def occupied(folder: Path) -> None:
    """A mask that is there already, of another size."""
    make_coco_download(folder, 'train', 2, size=SIZE)
    path = folder / f'SegmentationClass/train2014/{FIRST}.png'
    path.parent.mkdir(parents=True)
    Image.new('P', (3, 3)).save(path)
    tool('prepare_coco', folder, '--splits', 'train', '--any-size', '--workers', 1)


def tags(change: Callable[[dict], object]) -> Callable[[Path], object]:
    def act(folder: Path) -> None:
        content = make_coco_download(folder, 'train', 2, size=SIZE)
        change(content)
        write_annotations(folder, 'train', content)
        COCOTags(file=FILE, root=str(folder), classes=COCO_CLASSES)

    return act


CASES += [
    Case('a bomb', bad_image(header_only_png(10**5, 10**5)), 'too large', report=True),
    Case('an empty image', bad_image(b''), 'is an empty file', report=True),
    Case('a wrong mask is there', occupied, 'png is of another size', report=True),
    *[
        Case(
            f'--workers {value}',
            lambda folder, value=value: tool('prepare_coco', folder, '--workers', value),
            says,
        )
        for value, says in (
            ('0', r'workers: it is 0, but must be a whole number in \[1, 1024\]'),
            ('-1', 'workers: it is -1'),
            ('1000000', 'workers: it is 1000000'),
            ('two', "workers: it is 'two'"),
            ('nan', "workers: it is 'nan'"),
        )
    ],
    Case(
        'an unknown split',
        lambda folder: tool('prepare_coco', folder, '--splits', 'test'),
        'invalid choice',
    ),
    Case('root is empty', lambda folder: tool('prepare_coco', folder), 'unpack http'),
    Case('root is a file', lambda folder: tool('prepare_coco', __file__), 'unpack http'),
    *[
        Case(
            f'{name}={value!r}',
            lambda folder, name=name, value=value: prepare_coco(folder, **{name: value}),
            f'{name} is .*but must be',
        )
        for name, value in (
            ('splits', 'train'),
            ('splits', []),
            ('splits', ['test']),
            ('splits', [3]),
            ('workers', None),
            ('workers', 1.5),
            ('workers', True),
            ('workers', NAN),
            ('any_size', 'no'),
        )
    ],
    Case(
        'tags: an unknown image',
        tags(lambda content: content['annotations'][0].update(image_id=77)),
        'annotation 1 is of the unknown image 77',
    ),
    Case(
        'tags: an unknown category',
        tags(lambda content: content['annotations'][0].update(category_id=[])),
        'annotation 1 is of the unknown category',
    ),
    Case(
        'tags: no file name',
        tags(lambda content: content['images'][0].pop('file_name')),
        'the image entry .* is unusable',
    ),
    Case(
        'tags: an image twice',
        tags(lambda content: content['images'].append(content['images'][0])),
        'stands there twice',
    ),
]


@pytest.mark.parametrize('case', CASES, ids=str)
def test_refused(case: Case, tmp_path: Path):
    case.check(tmp_path)


@pytest.mark.parametrize('share', [0, 0.3, 1])
def test_run_lengths_are_decoded_as_pycocotools_does(share):
    mask = np.random.default_rng(0).random(SIZE) < share
    runs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert np.array_equal(area_of(dict(runs, counts=runs['counts'].decode()), *SIZE), mask)


def test_polygons_may_reach_a_little_outside():
    square = [[-16, -16, WIDTH + 16, -16, WIDTH + 16, HEIGHT + 16, -16, HEIGHT + 16]]
    assert area_of(square, *SIZE).all()


def test_files_of_the_original_are_accepted(tmp_path):
    content = make_coco_download(tmp_path, 'train', 2, size=SIZE)
    assert prepare_coco(tmp_path, splits=['train'], any_size=True) == dict(train=1)
    assert json.loads((tmp_path / 'tags/train.json').read_text())[FIRST]
    assert {category['id'] for category in content['categories']} == set(CATEGORY_IDS)
