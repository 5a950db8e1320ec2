"""Bad data sets: settings, lists, tables, tags, images and masks."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from PIL import Image
from torch.utils.data import DataLoader

from mmseg_excel.datasets import (
    LoadImageTags,
    PackTaggedInputs,
    RandomScale,
    SeededInfiniteSampler,
    TaggedSegDataset,
    TagListDataset,
    VOCTagsDataset,
)
from mmseg_excel.datasets.lists import read_list
from mmseg_excel.datasets.masks import read_mask, write_mask
from mmseg_excel.datasets.tag_sources import XMLTags
from mmseg_excel.datasets.tag_tables import read_tag_table
from mmseg_excel.datasets.transforms import LoadMask, ResizeToPatches
from mmseg_excel.utils.images import read_rgb

from .case import Case

NAN, INFINITY = float('nan'), float('inf')
GREY = np.zeros((8, 9), np.uint8)
LOADED = [LoadImageFromFile(), LoadMask()]
TABLE = {'one.jpg': ['cat'], 'two.png': []}


def own_images(folder: Path) -> dict:
    """Write two images, their masks and their table; the arguments of a data set of them."""
    for name in TABLE:
        path = folder / 'images' / name
        path.parent.mkdir(exist_ok=True)
        Image.new('RGB', (9, 8), (200, 30, 60)).save(path)
        write_mask(folder / f'masks/{path.stem}.png', np.ones((8, 9), np.uint8))
    (folder / 'tags.json').write_text(json.dumps(TABLE))
    (folder / 'twice.json').write_text(json.dumps({'one.jpg': ['cat'], 'one': ['dog']}))
    (folder / 'list.txt').write_text('one\n')
    return dict(
        ann_file='tags.json',
        data_root=str(folder),
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        classes=['cat', 'dog'],
    )


def own(**changes) -> Callable[[Path], object]:
    return lambda folder: TagListDataset(**(own_images(folder) | changes))


def table(name: str, content: str | bytes) -> Callable[[Path], object]:
    """Read a table."""
    return lambda folder: read_tag_table(_file(folder / name, content))


def of_table(content: object, **files: Image.Image) -> Callable[[Path], object]:
    """A data set of a JSON table, and of more images."""

    def act(folder: Path) -> object:
        arguments = own_images(folder)
        for name, image in files.items():
            image.save(folder / 'images' / name.replace('_', '.'))
        (folder / 'tags.json').write_text(json.dumps(content))
        return TagListDataset(**arguments)

    return act


def _file(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# ------------------------------------------------------------------------------ settings

NAMES = r'TagListDataset.classes (is|has) .*but must be|TagListDataset.classes has .* must leave'
SETTINGS = [
    *[
        ('classes', value, NAMES)
        for value in (
            None,
            'cat',
            b'cat',
            3,
            [],
            {'cat': 1},
            ['cat', 'cat'],
            ['cat', 'Cat'],
            ['dining table', 'diningtable'],
            ['background', 'cat'],
            ['Background', 'cat'],
            ['cat', 3],
            ['cat', None],
            ['cat', ''],
            ['cat', ' dog'],
            ['cat', 'a  dog'],
            ['cat', 'a\ndog'],
            ['cat', 'a\0dog'],
            ['cat', 'x' * 70_000],
        )
    ],
    ('classes', [f'class {number}' for number in range(255)], 'has 255 classes, but .* 254'),
    *[('ann_file', value, 'TagListDataset.ann_file is') for value in (None, 3, '', ['tags.json'])],
    ('ann_file', 'nothing.json', "no table of tags '.*nothing.json'"),
    ('ann_file', 'images', 'table of tags is a .csv, .json or .jsonl file'),
    ('ann_file', 'nothing.txt', "no list of images '.*nothing.txt'"),
    *[('data_root', value, 'TagListDataset.data_root is') for value in (3, ['a'], '')],
    ('data_root', '/nowhere', 'Data folder /nowhere does not exist'),
    ('data_prefix', None, 'data_prefix is None, but must be a dict'),
    ('data_prefix', 'images', "data_prefix is 'images', but must be a dict"),
    ('data_prefix', dict(seg_map_path='masks'), 'must name the image folder'),
    ('data_prefix', dict(img_path='images', masks='masks'), "has the key 'masks', but may only"),
    ('data_prefix', dict(img_path=None), r"data_prefix\['img_path'\] is None"),
    ('data_prefix', dict(img_path='tags.json'), 'Data folder .*tags.json does not exist'),
    ('img_suffix', 3, 'img_suffix is 3'),
    ('seg_map_suffix', None, 'seg_map_suffix is None'),
    ('seg_map_suffix', '.bmp', r'masks missing \(2\).*one.bmp'),
    ('masks_have_background', 'no', "masks_have_background is 'no', but must be True or False"),
    ('test_mode', 'yes', 'test_mode is'),
    ('lazy_init', 1, 'lazy_init is'),
    ('serialize_data', None, 'serialize_data is'),
    ('reduce_zero_label', 'x', 'reduce_zero_label is'),
    ('max_refetch', -1, 'max_refetch is -1'),
    ('max_refetch', NAN, 'max_refetch is nan'),
    ('ignore_index', 256, 'ignore_index is 256'),
    ('way_out', 3, 'way_out is 3'),
    ('pipeline', 'LoadMask', 'pipeline is .*must be a list of transforms'),
    ('pipeline', None, 'pipeline is None'),
    ('pipeline', [3], 'pipeline has 3'),
    ('pipeline', [dict(scale=3)], 'must be a dict with a type'),
    ('pipeline', [dict(type='Lod')], "pipeline has the unknown type 'Lod'"),
    ('pipeline', [dict(type='RandomScale', ratio=2)], 'does not fit RandomScale: .*ratio'),
    ('indices', 'all', "indices is 'all', but must be how many images"),
    ('indices', 1.5, 'indices is 1.5'),
    ('indices', True, 'indices is True'),
    ('indices', [0, NAN], 'indices is '),
    ('indices', 3, 'indices is 3, but .*tags.json names 2 images'),
    ('indices', [0, 5], r'indices is \[0, 5\], but .* names 2'),
    ('tag_source', 'TableTags', "tag_source is 'TableTags', but must be a dict with a type"),
    ('tag_source', dict(file='tags.json'), 'must be a dict with a type'),
    ('tag_source', dict(type='Oracle'), "tag_source has the unknown type 'Oracle'"),
    ('tag_source', dict(type='TableTags'), 'does not fit TableTags: missing .*file'),
    ('tag_source', dict(type='TableTags', fil='a'), 'does not fit TableTags: '),
    ('tag_source', dict(type='TableTags', file=3), 'TableTags.file is 3'),
    ('tag_source', dict(type='TableTags', file='no.csv'), "no table of tags '.*no.csv'"),
    ('tag_source', dict(type='MaskTags', folder=None), 'MaskTags.folder is None'),
    ('tag_source', dict(type='XMLTags', folder=3), 'XMLTags.folder is 3'),
    ('tag_source', dict(type='XMLTags'), 'tags missing .*Annotations/one.xml'),
    ('tag_source', dict(type='COCOTags', file=''), "COCOTags.file is ''"),
    ('metainfos', {}, "TagListDataset has the key 'metainfos'"),
]
CASES = [
    Case(f'{name}={value!r}'[:60], own(**{name: value}), says) for name, value, says in SETTINGS
]


def voc(**changes) -> Callable[[Path], object]:
    return lambda folder: VOCTagsDataset('train.txt', data_root=str(folder), **changes)


CASES += [
    Case('metainfo is a list', voc(metainfo=['cat']), 'metainfo is .*must be a dict'),
    Case(
        'no background',
        voc(metainfo=dict(classes=('cat', 'dog'))),
        r"metainfo\['classes'\] is .*'background' first",
    ),
    Case('classes are a string', voc(metainfo=dict(classes='cat')), "is 'cat', but must be"),
    Case(
        'a class twice',
        voc(metainfo=dict(classes=('background', 'cat', 'cat'))),
        'must be a list of distinct names',
    ),
    Case('no classes', lambda folder: TaggedSegDataset('train.txt'), r"\['classes'\] is None"),
    Case('no folder', voc(), 'Data folder .*JPEGImages does not exist. tools/prepare_voc.py'),
]

# ------------------------------------------------------------------------------ lists and tables

LISTS = [
    ('nothing', b'', 'is an empty list of images'),
    ('blank lines', b'\r\n \n\xef\xbb\xbf\n', 'images missing|lines that are no file name'),
    ('only a BOM', b'\xef\xbb\xbf\r\n', 'is an empty list of images'),
    ('UTF-16', 'one\n'.encode('utf-16'), 'is not UTF-8'),
    ('a PNG', b'\x89PNG\r\n\x1a\n\0\0', 'is not UTF-8'),
    ('zeros', bytes(30), 'lines that are no file name'),
    ('path traversal', b'one\n../two\n', "leave the image folder .*'../two'"),
    ('an absolute path', b'/etc/passwd\n', "leave the image folder .*'/etc/passwd'"),
    ('a roundabout path', b'x/../one\n', 'leave the image folder'),
    ('twice', b'one\r\none\r\n', r'images listed twice \(1\): one'),
    ('two spellings', b'one\n./one\n', r'images listed twice \(1\): one and ./one'),
    ('with and without suffix', b'one.jpg\none\n', 'images listed twice'),
    ('a line that goes on and on', b'x' * 70_000, r'images missing.*x{50,}'),
    ('no image', b'ghost\n', r'images missing \(1\): .*ghost.jpg'),
    ('a line of two columns', b'one 1\n', r'images missing \(1\): .*one 1.jpg'),
]


def of_list(content: bytes) -> Callable[[Path], object]:
    def act(folder: Path) -> object:
        arguments = own_images(folder)
        _file(folder / 'list.txt', content)
        source = dict(type='TableTags', file='tags.json')
        return TagListDataset(**arguments | dict(ann_file='list.txt', tag_source=source))

    return act


CASES += [Case(f'list: {name}', of_list(content), says) for name, content, says in LISTS]

DEEP = '[' * 100_000 + ']' * 100_000
TABLES = [
    ('t.csv', '', 'must name the columns'),
    ('t.csv', 'image;tags\na.jpg;cat\n', 'must name the columns'),
    ('t.csv', 'image,tags,tags\na.jpg,cat,dog\n', 'must name the columns "image" and "tags", once'),
    ('t.csv', 'image,tags\na.jpg,cat,dog\n', 'line 2 has 3 cells.* semicolons'),
    ('t.csv', 'image,tags\na.jpg\n', 'line 2 has 1 cells'),
    ('t.csv', 'image,tags\na.jpg,cat;;dog\n', 'with an empty tag .*a.jpg'),
    ('t.csv', 'image,tags\na.jpg,cat;cat\n', 'tag that stands twice .*a.jpg'),
    ('t.csv', 'image,tags\n ,cat\n', 'without an image'),
    ('t.csv', 'image,tags\n"a\nb",cat\n', 'without an image'),
    ('t.csv', 'image,tags\n"a.jpg,cat\n', 'is not a .csv file'),
    ('t.csv', 'image,tags\na.jpg,' + 'x' * 200_000 + '\n', 'is not a .csv file: field larger'),
    ('t.csv', 'image,tags\n'.encode('utf-16'), 'is not UTF-8'),
    ('t.xlsx', 'PK', 'is a .csv, .json or .jsonl file'),
    ('t.json', '', 'is not a .json file'),
    ('t.json', 'null', 'must hold an object'),
    ('t.json', 'NaN', 'must hold an object'),
    ('t.json', '"cat"', 'must hold an object'),
    ('t.json', '{"a.jpg": "cat"}', r"not a list of names .*'a.jpg'"),
    ('t.json', '{"a.jpg": null}', 'not a list of names'),
    ('t.json', '{"a.jpg": {}}', 'not a list of names'),
    ('t.json', '{"a.jpg": [["cat"]]}', 'not a list of names'),
    ('t.json', '{"a.jpg": [NaN]}', 'not a list of names'),
    ('t.json', '{"a.jpg": [1]}', 'not a list of names'),
    ('t.json', '{"a.jpg": [""]}', 'with an empty tag'),
    ('t.json', '{"a.jpg": ["cat", " cat"]}', 'tag that stands twice'),
    ('t.json', '{"": ["cat"]}', 'without an image'),
    ('t.json', '{"a.jpg": [], "a.jpg": []}', 'listed twice'),
    ('t.json', '[{"image": 3, "tags": []}]', 'without an image'),
    ('t.json', '[{"image": "a", "tags": [], "tags": []}]', 'entry 1 has a key that stands twice'),
    ('t.json', '[[]]', 'without an image'),
    ('t.json', '{"a.jpg": []} []', 'is not a .json file: Extra data'),
    ('t.json', DEEP, 'nested too deeply'),
    ('t.json', '[' + '9' * 5000 + ']', 't.json: '),
    ('t.jsonl', '{"image": "a", "label": []}', 'not a list of names'),
    ('t.jsonl', '{"image": "a",\n "tags": []}', 'is not a .jsonl file'),
    ('t.jsonl', DEEP, 'nested too deeply'),
]
CASES += [
    Case(f'table: {content[:50]!r}', table(name, content), says) for name, content, says in TABLES
]
PICTURE = Image.new('RGB', (9, 8))
CASES += [
    Case('a table of nothing', of_table({}), 'tags.json names no image'),
    Case('an unknown tag', of_table({'one': ['cow']}), r"not one of the classes cat, dog.*'cow'"),
    Case('a tag in capitals', of_table({'one': ['Cat']}), r"not one of the classes.*'Cat'"),
    Case('background as a tag', of_table({'one': ['background']}), "'background'"),
    Case('a name of two images', of_table({'one': []}, one_png=PICTURE), 'one.jpg and one.png'),
    Case('a tag of 70 000 letters', of_table({'one': ['x' * 70_000]}), r"'x{50,90}\.\.\."),
    *[
        Case(f'a table with {names}', of_table(dict.fromkeys(names, [])), 'listed twice.*one')
        for names in (['one.jpg', 'one.png'], ['one.jpg', 'one'], ['one.jpg', './one.jpg'])
    ],
    Case(
        'a list of a table with an image twice',
        own(ann_file='list.txt', tag_source=dict(type='TableTags', file='twice.json')),
        r'tags unreadable \(1\): one in .*twice.json stands there twice, as one.jpg and one',
    ),
    Case('a missing image', of_table({'three.jpg': []}), r'images missing \(1\)'),
]

# ------------------------------------------------------------------------------ special files


def special(kind: str, path: Path) -> Path:
    """A link to a device, a pipe, a folder or nothing at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == 'pipe':
        os.mkfifo(path)
    elif kind == 'folder':
        path.mkdir()
    elif kind == 'device':
        path.symlink_to('/dev/zero')
    elif kind == 'link to itself':
        path.symlink_to(path)
    return path


READERS = {
    'list.txt': read_list,
    'tags.json': read_tag_table,
    'tags.csv': read_tag_table,
    'mask.png': lambda path: read_mask(path, 21),
    'image.jpg': lambda path: read_rgb(str(path)),
    'one.xml': lambda path: XMLTags(folder='.', root=str(path.parent), classes=())('one'),
}
KINDS = {
    'nothing': r'does not exist|[Nn]o (image|list|table)|one\.xml',
    'pipe': 'pipe',
    'folder': 'folder',
    'device': 'device',
    'link to itself': r'does not exist|[Nn]o (image|list|table)|one\.xml|symbolic links',
}
CASES += [
    Case(
        f'{name} is a {kind}',
        lambda folder, read=read, name=name, kind=kind: read(special(kind, folder / name)),
        says,
    )
    for name, read in READERS.items()
    for kind, says in KINDS.items()
]


def sparse(path: Path, mebibytes: int) -> Path:
    """A file of that size that takes no space."""
    with path.open('wb') as file:
        file.truncate(mebibytes * 2**20)
    return path


CASES += [
    Case('a list of 65 MiB', lambda f: read_list(sparse(f / 'l.txt', 65)), '65 MiB, but .* 64'),
    Case('a table of 9 GiB', lambda f: read_tag_table(sparse(f / 't.csv', 9216)), 'MiB, but'),
    *[
        Case(f'the list is {value!r}', lambda folder, value=value: read_list(value), 'name of its')
        for value in (None, 0, '', 'a\0b', b'a')
    ],
]

# ------------------------------------------------------------------------------ XML

LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha">' + ''.join(
    f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip('abcdefgh', 'bcdefghi', strict=True)
)
XMLS = [
    ('nothing', '', 'is not XML'),
    ('cut off', '<annotation><object>', 'is not XML'),
    ('a page', '<html></html>', 'is not an annotation but a <html>'),
    ('an object without a name', '<annotation><object/></annotation>', 'without a name'),
    ('laughs', f'{LAUGHS}]><annotation>&i;</annotation>', 'has a document type'),
    (
        'another file',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotation>&a;</annotation>',
        'has a document type',
    ),
    ('an encoding of nobody', '<?xml version="1.0" encoding="x-no"?><annotation/>', 'is not XML'),
    ('an undefined entity', '<annotation>&a;</annotation>', 'is not XML'),
    ('deep', '<a>' * 100_000, 'is not XML'),
    ('2 MiB', ' ' * 2**21, 'MiB, but'),
]


def xml(content: str) -> Callable[[Path], object]:
    def act(folder: Path) -> object:
        _file(folder / 'one.xml', content)
        return XMLTags(folder='.', root=str(folder), classes=())('one')

    return act


CASES += [Case(f'XML: {name}', xml(content), says) for name, content, says in XMLS]

# ------------------------------------------------------------------------------ images


def header_only_png(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be large."""
    header = b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    data = b'IDAT' + zlib.compress(bytes(99))
    chunks = (
        struct.pack('>I', len(chunk) - 4) + chunk + struct.pack('>I', zlib.crc32(chunk))
        for chunk in (header, data, b'IEND')
    )
    return b'\x89PNG\r\n\x1a\n' + b''.join(chunks)


def jpeg(folder: Path) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(folder / 'noise.jpg')
    return (folder / 'noise.jpg').read_bytes()


def png(folder: Path) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(folder / 'noise.png')
    return (folder / 'noise.png').read_bytes()


def float_tiff(folder: Path) -> bytes:
    Image.fromarray(np.zeros((8, 9), np.float32)).save(folder / 'float.tiff')
    return (folder / 'float.tiff').read_bytes()


IMAGES = [
    ('empty', lambda folder: b'', 'is an empty file'),
    ('text', lambda folder: b'hello\n' * 50, 'is not a readable image'),
    ('cut', lambda folder: jpeg(folder)[:900], 'is a truncated JPEG'),
    ('a cut PNG', lambda folder: png(folder)[:-30], 'not a readable image .*PNG|not a .*read'),
    ('two bytes', lambda folder: b'\xff\xd8', 'is a truncated JPEG'),
    ('a cut header', lambda folder: jpeg(folder)[:20] + b'\xff\xd9', 'is not a readable image'),
    ('900 megapixels', lambda folder: header_only_png(30_000, 30_000), 'too large .*80 million'),
    ('81 megapixels', lambda folder: header_only_png(9_000, 9_000), 'too large .*9000 x 9000'),
    ('10^18 pixels', lambda folder: header_only_png(10**9, 10**9), 'too large|not a readable'),
    ('a PNG of no rows', lambda folder: header_only_png(9, 8), 'not .*read|colour'),
    ('32 bits', float_tiff, 'has 32 bits a pixel'),
    ('PostScript', lambda folder: b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n', 'not a'),
]


def image(make: Callable[[Path], bytes], read: Callable) -> Callable[[Path], object]:
    return lambda folder: read(_file(folder / 'image.jpg', make(folder)))


def trained_on(make: Callable[[Path], bytes]) -> Callable[[Path], object]:
    """An image that is bad when its turn comes."""

    def act(folder: Path) -> object:
        data = TagListDataset(**own_images(folder), pipeline=LOADED[:1])
        _file(folder / 'images/one.jpg', make(folder))
        return data[0]

    return act


for name, make, says in IMAGES:
    CASES += [
        Case(f'image read: {name}', image(make, lambda path: read_rgb(str(path))), says),
        Case(f'image as mask: {name}', image(make, lambda path: read_mask(path, 21)), says),
        Case(f'image in training: {name}', trained_on(make), f'{says}.*take it out of .*tags.json'),
    ]

# ------------------------------------------------------------------------------ masks


def mask(picture: Image.Image, suffix: str = 'png') -> Callable[[Path], object]:
    def act(folder: Path) -> object:
        picture.save(folder / f'mask.{suffix}')
        return read_mask(folder / f'mask.{suffix}', 3)

    return act


def evaluated(picture: Image.Image, **changes) -> Callable[[Path], object]:
    """A mask that is bad when its turn comes."""

    def act(folder: Path) -> object:
        data = TagListDataset(**own_images(folder) | changes, pipeline=LOADED)
        picture.save(folder / 'masks/one.png')
        return data[0]

    return act


def grey(value: int, size: tuple[int, int] = (9, 8), mode: str = 'L') -> Image.Image:
    return Image.new(mode, size, value)


CASES += [
    Case('RGB mask', mask(PICTURE), r'is a colour image \(RGB\)'),
    Case('16-bit mask', mask(Image.fromarray(np.full((8, 9), 256, np.uint16))), r'\(I;16\)'),
    Case('grey mask with alpha', mask(grey(0, mode='LA')), r'\(LA\)'),
    Case('JPEG mask', mask(grey(1), 'jpg'), 'is a JPEG, which blurs labels'),
    Case('mask of other values', mask(grey(3)), r'holds the values \[3\]; only 0..2 and 255'),
    Case('mask of 254', mask(grey(254)), r'holds the values \[254\]'),
    Case('evaluated RGB mask', evaluated(PICTURE), 'one.png is a colour image'),
    Case('evaluated mask of other values', evaluated(grey(3)), r'values \[3\]; only 0..2'),
    Case(
        'evaluated mask of other values, without background',
        evaluated(grey(2), masks_have_background=False),
        r'values \[2\]; only 0..1',
    ),
    Case('mask of another size', evaluated(grey(1, (8, 9))), r'has \(8, 9\) pixels, but its image'),
    Case(
        'a turned image',
        lambda folder: _turned(folder),
        r'masks/one.png has \(9, 8\) pixels, but its image .* has \(8, 9\)',
    ),
    Case(
        'writing a colour mask',
        lambda folder: write_mask(folder / 'm.png', np.zeros((8, 9, 3), np.uint8)),
        'a mask is an uint8 array',
    ),
    Case(
        'writing a mask of integers',
        lambda folder: write_mask(folder / 'm.png', np.zeros((8, 9), int)),
        'a mask is an uint8 array',
    ),
    Case(
        'writing onto a folder',
        lambda folder: write_mask(folder, np.zeros((8, 9), np.uint8)),
        'is a folder',
    ),
]


def _turned(folder: Path) -> object:
    """An image whose EXIF orientation exchanges height and width; its mask is not turned."""
    data = TagListDataset(**own_images(folder), pipeline=LOADED)
    exif = Image.Exif()
    exif[0x0112] = 6
    PICTURE.save(folder / 'images/one.jpg', exif=exif)
    return data[0]


# ------------------------------------------------------------------------------ transforms

RATIOS = [
    None, 2, 'ab', [], [1], [1, 2, 3], ['1', '2'], [None, 1], [NAN, 1], [1, INFINITY], [0, 1],
    [-1, 1], [2, 1], [1000, 2000], [True, 2],
]  # fmt: skip


def scaled(folder: Path) -> object:
    picture = np.broadcast_to(np.uint8(0), (1000, 1000, 3))
    return RandomScale((10, 10))(dict(img=picture, img_path='a.jpg'))


class NoImage:
    def __len__(self) -> int:
        return 0


CASES += [
    Case(
        f'ratio_range={value}',
        lambda folder, value=value: RandomScale(value),
        'RandomScale.ratio_range is .*but must',
    )
    for value in RATIOS
]
CASES += [
    Case('an image scaled to 100 megapixels', scaled, 'a.jpg, scaled by RandomScale.ratio_range'),
    Case('meta_keys', lambda folder: PackTaggedInputs('name'), "meta_keys is 'name'"),
    Case('a meta key', lambda folder: PackTaggedInputs([3]), 'meta_keys is 3'),
    Case(
        'tags of another data set',
        lambda folder: LoadImageTags()(dict(tags=['cow'], foreground=['cat'], img_path='a.jpg')),
        "a.jpg: tag 'cow' is not one of the classes cat",
    ),
    Case('drawing of nothing', lambda f: SeededInfiniteSampler(NoImage()), 'holds no image'),
    *[
        Case(
            f'seed={seed!r}',
            lambda folder, seed=seed: SeededInfiniteSampler([0], seed=seed),
            'seed is .* but must be a whole number',
        )
        for seed in (-1, 1.5, NAN, '0', True, 2**32)
    ],
    Case('shuffle', lambda f: SeededInfiniteSampler([0], shuffle='no'), "shuffle is 'no'"),
]


PIXELS = np.zeros((8, 9, 3), np.uint8)
LACKING = [
    (LoadMask(), dict(seg_map_path='m.png'), "LoadMask needs 'ori_shape' of an image"),
    (LoadMask(), dict(seg_map_path='m.png', ori_shape=8), "LoadMask is given 8 as 'ori_shape'"),
    (LoadMask(), dict(label_map={300: 1}), "LoadMask is given {300: 1} as 'label_map'"),
    (LoadImageTags(), dict(tags=['cat']), "LoadImageTags needs 'foreground' of an image"),
    (LoadImageTags(), dict(tags='cat'), "LoadImageTags is given 'cat' as 'tags'"),
    (LoadImageTags(), None, 'LoadImageTags is given None, but needs the dict of an image'),
    (RandomScale(), {}, "RandomScale needs 'img' of an image"),
    (RandomScale(), dict(img=PIXELS[:0]), "RandomScale is given .* as 'img' .*an array"),
    (ResizeToPatches(), dict(img='a.jpg'), "ResizeToPatches is given 'a.jpg' as 'img'"),
    (ResizeToPatches(), dict(img=PIXELS.astype(float)), 'an image of float64, but resizes bytes'),
    (PackTaggedInputs(), dict(img=PIXELS, gt_tags=PIXELS[0, :, 0]), "needs 'gt_tag_order'"),
]
CASES += [
    Case(f'{says[:50]}', lambda folder, t=t, results=results: t(results), says)
    for t, results, says in LACKING
]
CASES += [
    Case('patch_size', lambda folder: ResizeToPatches('16'), "patch_size is '16'"),
    Case(
        'a mask onto a pipe', lambda f: write_mask(special('pipe', f / 'm'), GREY), 'is a folder, a'
    ),
    Case('a mask of a list', lambda folder: write_mask(folder / 'm.png', [[1]]), r'not \[\[1\]\]'),
    Case('a mask of no name', lambda folder: write_mask(None, GREY), 'not by None'),
    *[
        Case(
            f'the palette is {palette}',
            lambda folder, palette=palette: write_mask(folder / 'm.png', GREY, palette),
            'must be a list of RGB colours',
        )
        for palette in (3, 'red', [[1]], [[1, 2, 999]], [[0, 0, 0]] * 257)
    ],
    *[
        Case(f'an image called {name!r}', lambda folder, name=name: read_rgb(name), 'image')
        for name in (None, 3, [], 'a\nb.jpg', 'x' * 300)
    ],
    *[
        Case(f'{name}={value!r}', own(**{name: value}), says)
        for name, value, says in (
            ('indices', [], 'indices is .*leaves no image'),
            ('indices', 0, 'indices is 0, which leaves no image'),
            ('metainfo', {}, 'metainfo is {}, but is made of classes'),
            ('backend_args', 'x', "backend_args is 'x', but must be a dict"),
            ('filter_cfg', 3, 'filter_cfg is 3, but must be a dict'),
            ('tag_source', dict(type='XMLTags', file='a'), "tag_source .*'file'"),
            ('tag_source', dict(type='XMLTags', root=3), 'XMLTags.root is 3'),
            ('tag_source', dict(type='XMLTags', classes='cat'), "XMLTags.classes is 'cat'"),
        )
    ],
]


@pytest.mark.parametrize('case', CASES, ids=str)
def test_refused(case: Case, tmp_path: Path):
    case.check(tmp_path)


def test_loading_processes_say_it_in_one_sentence_too(tmp_path):
    data = TagListDataset(**own_images(tmp_path), pipeline=LOADED[:1])
    (tmp_path / 'images/one.jpg').write_bytes(b'')
    loader = DataLoader(data, num_workers=1, collate_fn=list)
    Case(
        'in a worker',
        lambda folder: list(loader),
        r'^\S+one.jpg is an empty file: replace it, or',
    ).check(tmp_path)


def test_what_is_unusual_but_right_is_accepted(tmp_path):
    arguments = own_images(tmp_path)
    lines = b'\xef\xbb\xbfone.jpg\r\n\r\n./two\r\n'
    (tmp_path / 'list.txt').write_bytes(lines)
    source = dict(type='TableTags', file='tags.json')
    data = TagListDataset(**arguments | dict(ann_file='list.txt', tag_source=source))
    assert [data.get_data_info(index)['name'] for index in (0, 1)] == ['one', 'two']
    assert [data.get_data_info(index)['tags'] for index in (0, 1)] == [['cat'], []]
    names = [f'class {{{number}}}' for number in range(254)]
    (tmp_path / 'tags.json').write_text(json.dumps({'one': names[-1:]}))
    assert len(TagListDataset(**arguments | dict(classes=names))) == 1
    Image.new('1', (9, 8), 1).save(tmp_path / 'black_and_white.png')
    assert (read_mask(tmp_path / 'black_and_white.png', 2) == 1).all()
