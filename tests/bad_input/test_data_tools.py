"""Bad arguments and files of the tools that prepare data and score masks."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

from mmseg_excel.datasets.masks import write_mask
from mmseg_excel.datasets.prepare import prepare_voc
from mmseg_excel.datasets.prepare.sbd import read_sbd_mask
from mmseg_excel.datasets.toy.voc_layout import write_voc_layout
from mmseg_excel.evaluation import ConfusionMatrixMetric
from mmseg_excel.evaluation.folders import score_folder
from mmseg_excel.export import VOCServerExport

from ..datasets.voc_devkit import make_voc_devkit
from .case import Case, tool
from .test_data import header_only_png, sparse, special

NAN = float('nan')
WORKERS = [
    (value, f'argument --workers: it is {shown}, but must be a whole number')
    for value, shown in (('0', 0), ('-1', -1), ('10000', 10000), ('1.5', "'1.5'"))
]

# ------------------------------------------------------------------------------ make_toy_world


def toy(*args: object) -> Callable[[Path], object]:
    def act(folder: Path) -> None:
        try:
            tool('make_toy_world', folder / 'toy', *args)
        finally:
            assert not list(folder.glob('**/.VOC2012*'))

    return act


def toy_in_the_way(content: str | None) -> Callable[[Path], object]:
    """A folder of that name is there already."""

    def act(folder: Path) -> None:
        (folder / 'VOC2012').mkdir()
        if content is not None:
            (folder / 'VOC2012/toy_world.json').write_text(content)
        tool('make_toy_world', folder)

    return act


CASES = [
    *[
        Case(f'{option} {value}', toy(option, value), says)
        for option, name in (('--train', 'num_train'), ('--val', 'num_val'), ('--size', 'size'))
        for value, says in (
            ('0', f'{name} is 0, but must be a whole number in'),
            ('-1', f'{name} is -1'),
            ('1000000000', f'{name} is 1000000000'),
            ('nan', 'invalid int value'),
        )
    ],
    Case('--size 1', toy('--size', 1), r'size is 1, but must be a whole number in \[32, 1024\]'),
    Case('--seed -1', toy('--seed', -1), 'seed is -1'),
    Case('--seed 10^30', toy('--seed', 10**30), 'seed is 1000'),
    Case('another folder', toy_in_the_way(None), 'not the toy world asked for .*no stamp'),
    Case('a rubbish stamp', toy_in_the_way('{'), 'not the toy world asked for .*no stamp'),
    Case('a stamp of null', toy_in_the_way('null'), 'not the toy world asked for'),
    Case('another stamp', toy_in_the_way('{"version": 1}'), 'not the toy world .*version'),
    Case('out is a file', lambda folder: tool('make_toy_world', __file__), 'is no folder'),
    Case('out is a device', lambda f: tool('make_toy_world', '/dev/null/x'), 'is no folder'),
    *[
        Case(
            f'num_train={value!r}',
            lambda folder, value=value: write_voc_layout(folder, value),
            'num_train is .*, but must be a whole number',
        )
        for value in (None, '600', 1.5, True, NAN)
    ],
]

# ------------------------------------------------------------------------------ convert_tags

SHARED = ['x']
for _ in range(40):
    SHARED = [SHARED, SHARED]  # 2**40 elements to whoever walks through them
OBJECTS = np.empty(20, object)
OBJECTS[0] = SHARED


def npy(content: object) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(content, object), allow_pickle=True)
    return file.getvalue()


class Malice:
    def __reduce__(self):
        return os.system, ('touch /tmp/mmseg_excel_was_here',)


class Huge:
    def __reduce__(self):
        return np.ndarray, ((10**15,),)


def header(shape: tuple[int, ...], descr: str) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, dict(descr=descr, fortran_order=False, shape=shape))
    return file.getvalue()


ONE = np.eye(20)[0]
DICTIONARIES = [
    ('empty', b'', 'is not a .npy file'),
    ('text', b'hello', 'is not a .npy file'),
    ('a bare pickle', pickle.dumps({'a': ONE}), 'is not a .npy file'),
    ('a cut file', npy({'a': ONE})[:-40], 'is not a .npy file|truncated'),
    ('a header alone', header((), '|O'), 'is not a .npy file'),
    ('a huge claim', header((10**12,), '|O') + pickle.dumps([]), 'holds no dictionary'),
    ('a huge claim of numbers', header((10**12,), '<f8'), 'holds no dictionary'),
    ('a list', npy([1, 2]), 'holds no dictionary'),
    ('an empty dictionary', npy({}), 'names no image'),
    ('malice', npy({'a': Malice()}), 'refused to run .*system'),
    ('a huge array', npy({'a': Huge()}), 'is not a .npy file|of another length'),
    ('laughs', npy({'a': SHARED}), r'another length than 20 .*a \(\)'),
    ('laughs as a name', npy({('a', 'b'): ONE}), 'entries without the name of an image'),
    ('no name', npy({None: ONE, 1.5: ONE, True: ONE, '': ONE}), r'the name of an image \(4\)'),
    ('a path', npy({'../a': ONE}), 'entries without the name'),
    ('one name twice', npy({'2007000032': ONE, '2007_000032': ONE}), 'images listed twice'),
    ('short', npy({'a': ONE[:3]}), r'another length than 20 .*a \(3,\)'),
    ('NaN', npy({'a': ONE * NAN}), 'other values than 0 and 1 .*a'),
    ('two', npy({'a': ONE * 2}), 'other values than 0 and 1'),
    ('strings', npy({'a': ONE.astype(str)}), 'other values than 0 and 1'),
    ('objects', npy({'a': OBJECTS}), 'another length|other values'),
]


def converted(content: bytes | str, *args: object) -> Callable[[Path], object]:
    def act(folder: Path) -> None:
        source = folder / 'labels.npy'
        special(content, source) if isinstance(content, str) else source.write_bytes(content)
        try:
            tool('convert_tags', source, folder / 'tags.json', *args)
        finally:
            assert not (folder / 'tags.json').exists()
            assert not Path('/tmp/mmseg_excel_was_here').exists()

    return act


def with_classes(text: bytes) -> Callable[[Path], object]:
    def act(folder: Path) -> None:
        (folder / 'classes.txt').write_bytes(text)
        converted(npy({'a': ONE}), '--classes', folder / 'classes.txt')(folder)

    return act


CASES += [Case(f'dictionary: {name}', converted(data), says) for name, data, says in DICTIONARIES]
CASES += [
    Case('dictionary: none', converted('nothing'), 'labels.npy'),
    Case('dictionary: a folder', converted('folder'), 'is a folder'),
    Case('dictionary: a pipe', converted('pipe'), 'pipe'),
    Case('dictionary: endless', converted('device'), 'device'),
    Case(
        'dictionary: 2 GiB',
        lambda folder: tool('convert_tags', sparse(folder / 'a.npy', 2048), folder / 'a.json'),
        'MiB, but a dictionary of tags has at most 1.02e\\+03',
    ),
    Case(
        'a table of another kind',
        lambda folder: tool('convert_tags', __file__, folder / 'tags.csv'),
        'the table is written as .json',
    ),
    Case('unknown classes', converted(npy({'a': ONE}), '--classes', 'pets'), "classes is 'pets'"),
    *[
        Case(f'classes: {text[:30]!r}', with_classes(text), says)
        for text, says in (
            (b'', 'is an empty list of classes'),
            (b'\xff\xfe', 'is not UTF-8'),
            (b'cat\nCAT\n', "classes.txt has 'cat' and 'CAT'"),
            (b'background\ncat\n', 'must leave out the background'),
            (b'x' * 70_000, 'at most 100 printable'),
            (b''.join(b'class %d\n' % number for number in range(255)), 'has 255 classes'),
            (b'cat\ndog\n', 'another length than 2'),
        )
    ],
]

# ------------------------------------------------------------------------------ score_masks


def scored(*args: object, **masks: np.ndarray | bytes) -> Callable[[Path], object]:
    """Score folders of two classes; ``args`` are options or ``'{folder}/...'``."""

    def act(folder: Path) -> None:
        for name in ('truth', 'labels'):
            write_mask(folder / name / 'one.png', np.ones((4, 4), np.uint8))
        for name, content in masks.items():
            path = folder / f'{name}/one.png'
            path.write_bytes(content) if isinstance(content, bytes) else write_mask(path, content)
        (folder / 'classes.txt').write_text('cat\ndog\n')
        (folder / 'list.txt').write_text('one\none\n')
        (folder / 'ghost.txt').write_text('ghost\n')
        (folder / 'up.txt').write_text('../truth/one\n')
        paths = [str(arg).format(folder=folder) for arg in args]
        options = '--classes', folder / 'classes.txt', '--workers', 1
        tool('score_masks', folder / 'labels', folder / 'truth', *options, *paths)

    return act


CASES += [
    Case('another size', scored(labels=np.ones((3, 4), np.uint8)), r'is \(3, 4\)', report=True),
    Case('other labels', scored(labels=np.full((4, 4), 3, np.uint8)), r'values \[3\]', report=True),
    Case('other truths', scored(truth=np.full((4, 4), 9, np.uint8)), r'values \[9\]', report=True),
    Case(
        'truths without background',
        scored('--no-background', truth=np.full((4, 4), 2, np.uint8)),
        r'values \[2\]; only 0..1',
        report=True,
    ),
    Case('nothing to evaluate', scored(truth=np.full((4, 4), 255, np.uint8)), 'all are 255'),
    Case('an empty mask', scored(labels=b''), 'is an empty file', report=True),
    Case('a bomb', scored(labels=header_only_png(10**5, 10**5)), 'too large', report=True),
    Case('a list with one image twice', scored('--list', '{folder}/list.txt'), 'twice .*one'),
    Case('a ghost', scored('--list', '{folder}/ghost.txt'), 'ghost.png does not', report=True),
    Case('a list that climbs', scored('--list', '{folder}/up.txt'), 'leave the image folder'),
    Case('no list', scored('--list', '{folder}/no.txt'), "no list of images '.*no.txt'"),
    Case('list is a folder', scored('--list', '{folder}'), 'is a folder'),
    Case('--classes', scored('--classes', 'pets'), "classes is 'pets', but must be one of 'voc'"),
    Case('no class file', scored('--classes', 'no.txt'), "no list of classes 'no.txt'"),
    Case('--published', scored('--published', 'voc'), "published is 'voc', but .*'voc_val'"),
    Case('published for others', scored('--published', 'voc_val'), 'has 21 classes, not 3'),
    Case('--table-dir is a file', scored('--table-dir', '{folder}/list.txt'), 'list.txt'),
    *[
        Case(f'score --workers {value}', scored('--workers', value), says)
        for value, says in WORKERS
    ],
    Case('no predictions', lambda f: tool('score_masks', f / 'a', f), 'a is no folder of masks'),
    Case('no truths', lambda f: tool('score_masks', f, f / 'a'), 'a is no folder of masks'),
    Case('a file as folder', lambda f: tool('score_masks', __file__, f), 'is no folder of masks'),
    Case('an empty folder', lambda f: tool('score_masks', f, f), 'holds no .png mask'),
    *[
        Case(
            f'{name}={value!r}',
            lambda folder, name=name, value=value: score_folder(
                **dict(predictions=folder, truths=folder, names=['a'], num_classes=3)
                | {name: value}
            ),
            says,
        )
        for name, value, says in (
            ('num_classes', 1, 'num_classes is 1'),
            ('num_classes', 256, 'num_classes is 256'),
            ('num_classes', None, 'num_classes is None'),
            ('names', [], r'names is \[\]'),
            ('names', 'a', "names is 'a'"),
            ('truths_have_background', 1, 'truths_have_background is 1'),
            ('workers', 0, 'workers is 0'),
        )
    ],
]

# ------------------------------------------------------------------------------ evaluators


def measured(**sample: torch.Tensor) -> Callable[[Path], object]:
    def act(folder: Path) -> None:
        metric = ConfusionMatrixMetric()
        metric.dataset_meta = dict(classes=('background', 'cat'))
        fields = {name: dict(data=value[None]) for name, value in sample.items()}
        metric.process({}, [dict(img_path='a.jpg', **fields)])

    return act


ONES = torch.ones(4, 4, dtype=torch.int64)
CASES += [
    Case('no mask', measured(pred_sem_seg=ONES), 'a.jpg has no mask to be evaluated'),
    Case('a label', measured(pred_sem_seg=3 * ONES, gt_sem_seg=ONES), r'a.jpg: predicted .*\[3\]'),
    Case('a truth', measured(pred_sem_seg=ONES, gt_sem_seg=2 * ONES), r'a.jpg: true .*\[2\]'),
    Case('a size', measured(pred_sem_seg=ONES[:3], gt_sem_seg=ONES), r'a.jpg: the prediction is'),
    *[
        Case(
            f'{kind.__name__}({name}={value!r})',
            lambda folder, kind=kind, name=name, value=value: kind(**{name: value}),
            f'{name} is .*, but must be',
        )
        for kind, name, value in (
            (ConfusionMatrixMetric, 'output_dir', 3),
            (ConfusionMatrixMetric, 'table_dir', ''),
            (ConfusionMatrixMetric, 'published', 'pascal'),
            (ConfusionMatrixMetric, 'published', 3),
            (ConfusionMatrixMetric, 'prefix', 3),
            (VOCServerExport, 'output_dir', None),
            (VOCServerExport, 'num_images', 0),
            (VOCServerExport, 'num_images', '1456'),
        )
    ],
]

# ------------------------------------------------------------------------------ prepare_voc

LISTS = dict(train={'2007_000032': ['cat']}, val={'2007_000033': ['dog']})


def prepared(change: Callable[[Path], object], *args: object) -> Callable[[Path], object]:
    """Check a devkit that was changed."""

    def act(folder: Path) -> None:
        root = make_voc_devkit(folder, LISTS)
        change(root)
        tool('prepare_voc', root, '--any-size', '--workers', 1, *args)

    return act


def lines(text: bytes) -> Callable[[Path], object]:
    return prepared(lambda root: (root / 'ImageSets/Segmentation/train.txt').write_bytes(text))


def replaced(file: str, content: bytes) -> Callable[[Path], object]:
    return prepared(lambda root: (root / file).write_bytes(content))


def mat(**content: object) -> Callable[[Path], object]:
    def act(folder: Path) -> object:
        savemat(folder / 'a.mat', content, do_compression=True)
        return read_sbd_mask(folder / 'a.mat', 21)

    return act


def segmentation(values: object) -> Callable[[Path], object]:
    return mat(GTcls=dict(Segmentation=values))


def deep_mask(root: Path) -> None:
    values = np.full((8, 9), 256, np.uint16)
    Image.fromarray(values).save(root / 'SegmentationClass/2007_000032.png')


CASES += [
    *[Case(f'voc --workers {v}', lambda f, v=v: tool('prepare_voc', f, '--workers', v), says)
      for v, says in WORKERS],
    Case('an empty root', lambda folder: tool('prepare_voc', folder), 'JPEGImages does not exist'),
    Case('a file as root', lambda folder: tool('prepare_voc', __file__), 'does not exist; unpack'),
    Case('no SBD', prepared(lambda root: 0, '--sbd', 'nowhere'), 'nowhere/cls does not exist'),
    Case('SBD is a file', prepared(lambda root: 0, '--sbd', __file__), 'cls does not exist'),
    Case('--tags', prepared(lambda root: 0, '--tags', 'both'), 'invalid choice'),
    Case('tags', lambda folder: prepare_voc(folder, tags='both'), "tags is 'both'"),
    Case('any_size', lambda folder: prepare_voc(folder, any_size=1), 'any_size is 1'),
    Case('an empty list', lines(b''), 'is an empty list of images'),
    Case('a binary list', lines(b'\xff\xd8\xff'), 'is not UTF-8'),
    Case('a list that climbs', lines(b'../../x\n'), 'leave the image folder', report=True),
    Case('a list with one twice', lines(b'2007_000032\r\n2007_000032\r\n'), 'twice', report=True),
    Case('both lists', lines(b'2007_000033\n'), 'both trained on and held out', report=True),
    Case('a bomb', replaced('JPEGImages/2007_000032.jpg', header_only_png(10**5, 10**5)),
         'too large', report=True),
    Case('no XML', replaced('Annotations/2007_000032.xml', b'{}'), 'is not XML', report=True),
    Case('RGB mask', prepared(
        lambda root: Image.new('RGB', (9, 8)).save(root / 'SegmentationClass/2007_000032.png')
    ), 'is a colour image', report=True),
    Case('16-bit mask', prepared(deep_mask), r'\(I;16\)', report=True),
    Case('a list that is a pipe', prepared(
        lambda root: special('pipe', root / 'ImageSets/Segmentation/train.txt')
    ), 'train.txt'),
    Case('no .mat', lambda folder: read_sbd_mask(folder / 'a.mat', 21), 'a.mat'),
    Case('a rubbish .mat', lambda folder: _rubbish(folder, b'hello' * 50), 'not one of SBD'),
    Case('an empty .mat', lambda folder: _rubbish(folder, b''), 'not one of SBD'),
    Case('a .mat of 1 MiB', lambda folder: read_sbd_mask(sparse(folder / 'a.mat', 1), 21), 'MiB'),
    Case('another .mat', mat(x=3), 'not one of SBD.*GTcls'),
    Case('a .mat of strings', segmentation('cat'), 'no whole numbers'),
    Case('a .mat of floats', segmentation(np.full((3, 3), 0.5)), 'no whole numbers'),
    Case('a .mat of 256', segmentation(np.full((3, 3), 256)), 'values outside of 0..255'),
    Case('a .mat of -1', segmentation(np.full((3, 3), -1)), 'values outside of 0..255'),
    Case('a .mat of 99', segmentation(np.full((3, 3), 99)), r'holds the values \[99\]'),
    Case('a .mat in 3-D', segmentation(np.ones((3, 3, 3), int)), 'H x W'),
    Case('an empty .mat array', segmentation(np.ones((0, 3), int)), 'H x W'),
]  # fmt: skip


def _rubbish(folder: Path, content: bytes) -> object:
    (folder / 'a.mat').write_bytes(content)
    return read_sbd_mask(folder / 'a.mat', 21)


@pytest.mark.parametrize('case', CASES, ids=str)
def test_refused(case: Case, tmp_path: Path):
    case.check(tmp_path)
