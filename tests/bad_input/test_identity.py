"""What something is: CLIP's files, attribute banks, claimed folders, class lists, exports."""

from __future__ import annotations

import functools
import io
import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import open_clip
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import DATASETS, MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import register_all_modules
from PIL import Image

from mmseg_excel.ablation import ResultsFile
from mmseg_excel.clip.towers import load_clip
from mmseg_excel.datasets.tag_tables import write_tag_table
from mmseg_excel.engine import ClassNamesHook
from mmseg_excel.engine.class_names_hook import check_dataset
from mmseg_excel.export.pseudo_labels import export_pseudo_labels
from mmseg_excel.inference.inferencer import TagInferencer
from mmseg_excel.text.attribute_bank import default_cache_dir, get_attribute_bank, load_bank
from mmseg_excel.text.vocabulary import VOC_CLASSES
from mmseg_excel.utils.records import claim, record_path

from ..golden.model import MODEL_NAME, build_golden_model, golden_config, tiny_clip_file
from ..golden.reference import tiny_clip_state
from .case import Case

REORDERED = (VOC_CLASSES[1], VOC_CLASSES[0], *VOC_CLASSES[2:])
FIRST = r"class 1 is 'bicycle' there and 'aeroplane' in the model"


@functools.cache
def model():
    return build_golden_model()


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / 'pipe')
    return folder / 'pipe'


def file(folder: Path, content: bytes, name: str = 'clip.pt') -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def each(cases: dict[str, tuple[object, str]], act: Callable[[Path, object], object]) -> list[Case]:
    """A row for each bad value: what is bad -> (value, sentence)."""
    return [
        Case(name, functools.partial(lambda value, folder: act(folder, value), value), says)
        for name, (value, says) in cases.items()
    ]


# CLIP: names ----------------------------------------------------------------------------------

PRETRAINED = {
    f'pretrained={value!r}': (value, r'FrozenCLIP.pretrained is .*must be a weight file or an')
    for value in (None, '', '  ', 7, True, ['openai'], b'openai', 'a\0b')
} | {
    'weights that are not there': ('nowhere.pt', r"'nowhere.pt'.*neither a file nor.*openai"),
    'a tag of another model': ('laion2b', r"'laion2b'.*neither a file nor.*one of these tags"),
    'a folder as weights': ('/tmp', r"'/tmp'.*neither a file nor"),
    'an endless file': ('/dev/zero', r"'/dev/zero'.*neither a file nor"),
    'the toy CLIP of another model': ('packaged', r'ViT-B-16-quickgelu.safetensors.*neither a'),
}
MODELS_UNKNOWN = {
    f'model={value!r}': (value, r'FrozenCLIP.model is .*must be an open_clip model name')
    for value in (None, '', 3, ['ViT-B-16'], {})
} | {
    'a model open_clip does not know': ('ViT-Q-7', r"no model 'ViT-Q-7'.*list_models"),
    'a model folder that is not there': (
        'local-dir:/nowhere',
        r"no readable .*'local-dir:/nowhere'",
    ),
    'a schema alone': ('local-dir:', r"no readable configuration of 'local-dir:'"),
}
NO_PLAIN_VIT = {
    'a ResNet': ('RN50', r"'RN50' has no plain ViT.*it is a ResNet"),
    'a tower of timm': ('vit_medium_patch16_gap_256', r'no plain ViT.*timm_model_name'),
    'an attentional pool': ('coca_ViT-B-32', r'no plain ViT.*attentional_pool'),
    'a ViT of another size': ('ViT-B-32', r"do not fit CLIP model 'ViT-B-32'.*tensor '"),
}


def own_model(folder: Path, **changes: object) -> object:
    """A model configured in a folder of one's own, with the golden weights."""
    config = open_clip.get_model_config(MODEL_NAME) | changes
    (folder / 'open_clip_config.json').write_text(json.dumps(dict(model_cfg=config)))
    clip = load_clip(f'local-dir:{folder}', tiny_clip_file())
    return clip.vision_tower(), clip.text_encoder()


OWN_MODELS = {
    'a model without a text tower': (dict(text_cfg=None), r'sets no text_cfg'),
    'a model without a vision tower': (dict(vision_cfg=[]), r'sets no vision_cfg'),
    'a model without a joint space': (dict(embed_dim='64'), r'sets no embed_dim'),
    'a setting of a tower that is none': (
        dict(vision_cfg=dict(layers=12, wdith=3)),
        r"cannot build a tower of CLIP model .*unexpected keyword argument 'wdith'",
    ),
    'a text tower that is not installed': (
        dict(text_cfg=dict(hf_model_name='/nowhere/bert')),
        r'cannot build a tower of CLIP model',
    ),
}

CLIP_NAMES = [
    *each(PRETRAINED, lambda _, value: load_clip('ViT-B-16-quickgelu', value)),
    *each(MODELS_UNKNOWN, lambda _, value: load_clip(value, tiny_clip_file())),
    *each(NO_PLAIN_VIT, lambda _, value: load_clip(value, tiny_clip_file()).vision_tower()),
    *each(OWN_MODELS, lambda folder, changes: own_model(folder, **changes)),
    Case(
        'a pipe as weights', lambda f: load_clip(MODEL_NAME, str(fifo(f))), r'pipe.*neither a file'
    ),
]

# CLIP: files ----------------------------------------------------------------------------------


class Payload:
    """What pickle would run."""

    def __reduce__(self):
        return (exec, ('raise SystemExit("executed")',))


class RunsWhenLoaded(torch.nn.Module):
    """TorchScript whose loading runs a method of it."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(2))
        self.training = False

    @torch.jit.export
    def __getstate__(self):
        return (self.weight, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]):
        raise RuntimeError('executed')

    def forward(self, x):
        return x + self.weight


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def scripted(module: torch.nn.Module) -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(module), buffer)
    return buffer.getvalue()


@functools.cache
def bomb() -> bytes:
    """An archive of a hundred kilobytes that unpacks to a thousand times as much."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
        with archive.open('archive/data/0', 'w', force_zip64=True) as entry:
            for _ in range(8):
                entry.write(bytes(16 << 20))
    return buffer.getvalue()


def safetensors(header: bytes, size: int | None = None) -> bytes:
    return struct.pack('<Q', len(header) if size is None else size) + header


UNREADABLE = r'clip.*could not be read as CLIP weights'
TENSOR_BEYOND = b'{"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}'
FILES = {
    'an empty file': (lambda: b'', UNREADABLE),
    'noise': (lambda: bytes(range(256)) * 9, UNREADABLE),
    'a page of a web site': (lambda: b'<html>404</html>', UNREADABLE),
    'a state dict cut in half': (lambda: saved(dict(tiny_clip_state()))[:200_000], UNREADABLE),
    'an old state dict cut in half': (
        lambda: b'\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.',
        UNREADABLE,
    ),
    'a pickle with code': (lambda: saved({'visual.class_embedding': Payload()}), UNREADABLE),
    'TorchScript with code': (
        lambda: scripted(RunsWhenLoaded()),
        r'code that runs when it is load',
    ),
    'an archive that fills the memory': (bomb, r'would unpack to 134217728 bytes'),
    'a list': (lambda: saved([torch.zeros(1)]), r'clip.pt.*holds no tensors'),
    'a tensor': (lambda: saved(torch.zeros(1)), r'clip.pt.*holds no tensors'),
    'no tensors': (lambda: saved({'epoch': 3}), r'clip.pt.*holds no tensors'),
    'an empty dict': (lambda: saved({}), r'clip.pt.*holds no tensors'),
    'numbered tensors': (lambda: saved({0: torch.zeros(1)}), r'clip.pt.*holds no tensors'),
    'a state dict that is none': (lambda: saved({'state_dict': 7}), r'clip.pt.*holds no tensors'),
    'another network': (
        lambda: saved({'conv.weight': torch.zeros(1)}),
        r'clip.pt.*holds no CLIP vision transformer',
    ),
    'TorchScript of another network': (
        lambda: scripted(torch.nn.Linear(2, 2)),
        r'clip.pt.*holds no CLIP vision transformer',
    ),
}
SAFETENSORS = {
    'safetensors: empty': b'',
    'safetensors: a header of exabytes': safetensors(b'{}', 1 << 62),
    'safetensors: a header longer than the file': safetensors(b'{}', 1 << 20),
    'safetensors: no JSON': safetensors(b'{"a"'),
    'safetensors: tensors beyond the end': safetensors(TENSOR_BEYOND),
    'safetensors: a state dict of PyTorch': saved({'a': torch.zeros(1)}),
}


def altered(**changes: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """The golden weights with some tensors replaced, or removed where there is None."""
    state = dict(tiny_clip_state())
    for name, tensor in changes.items():
        name = name.replace('__', '.')
        state[name] = tensor
    return {name: tensor for name, tensor in state.items() if tensor is not None}


PROJ = torch.zeros(128, 64)
TENSORS = {
    'NaN': (PROJ * torch.nan, 'not finite'),
    'infinity': (PROJ + torch.inf, 'not finite'),
    'more than fp32 holds': (PROJ.double() + 1e300, 'not finite'),
    'int8': (PROJ.to(torch.int8), 'of type int8'),
    'bool': (PROJ.bool(), 'of type bool'),
    'complex': (PROJ.to(torch.complex64), 'of type complex64'),
    'sparse': (PROJ.to_sparse(), 'sparse_coo'),
    'meta': (PROJ.to('meta'), 'meta'),
    'a view that claims terabytes': (
        torch.zeros(1).expand(1 << 20, 1 << 20),
        'claims 1099511627776',
    ),
}
VISION = {
    'wrong shape': (
        dict(visual__proj=PROJ.T.contiguous()),
        r"'proj' should be 128x64 and is 64x128",
    ),
    'a missing tensor': (dict(visual__proj=None), r"'proj' should be 128x64 and is absent"),
    'a tensor too many': (dict(visual__extra=PROJ), r"'extra' should be absent and is 128x64"),
    'a scalar': (dict(visual__proj=torch.tensor(1.0)), r"'proj' should be 128x64 and is a scalar"),
}
TEXT = {
    'text: wrong width': (
        dict(text_projection=torch.zeros(64, 32)),
        r'text tower.*64x64 and is 64x32',
    ),
    'text: missing tensor': (dict(text_projection=None), r"text tower.*'text_projection'.*absent"),
    'text: one too many': (dict(extra=PROJ), r"text tower.*'extra' should be absent"),
}


def clip_of(folder: Path, state: dict):
    return load_clip(MODEL_NAME, file(folder, saved(state)))


def vision_alone(folder: Path) -> object:
    state = {k: v for k, v in tiny_clip_state().items() if k.startswith('visual.')}
    clip = clip_of(folder, state)
    clip.vision_tower()  # fits
    return clip.text_encoder()


CLIP_FILES = [
    *each(FILES, lambda folder, make: load_clip(MODEL_NAME, file(folder, make()))),
    *each(
        {name: (content, UNREADABLE) for name, content in SAFETENSORS.items()},
        lambda folder, content: load_clip(MODEL_NAME, file(folder, content, 'clip.safetensors')),
    ),
    *each(
        {name: (tensor, rf"'visual.proj' .*{says}") for name, (tensor, says) in TENSORS.items()},
        lambda folder, tensor: clip_of(folder, altered(visual__proj=tensor)),
    ),
    *each(VISION, lambda folder, changes: clip_of(folder, altered(**changes)).vision_tower()),
    *each(TEXT, lambda folder, changes: clip_of(folder, altered(**changes)).text_encoder()),
    Case(
        'weights without a text tower', vision_alone, r'no text tower.*give weights of a whole CLIP'
    ),
]

# Attribute banks ------------------------------------------------------------------------------

SENTENCES = [f'a thing number {i}.' for i in range(6)]


class Encoder:
    fingerprint = 'that of a test'

    def __call__(self, texts):
        generator = torch.Generator().manual_seed(len(texts))
        return torch.nn.functional.normalize(torch.randn(len(texts), 8, generator=generator))


def bank(folder: Path, **changes: object) -> str:
    """A bank with some arrays replaced, or removed where there is None."""
    get_attribute_bank(Encoder(), SENTENCES, 2, folder)
    (path,) = folder.glob('*.npz')
    with np.load(path) as stored:
        arrays = dict(stored) | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return str(path)


ZEROS = np.zeros((2, 8), np.float32)
BANKS = {
    'no attributes': dict(attributes=None),
    'no sentences': dict(sentences=None),
    'attributes of another width': dict(attributes=np.zeros((2, 9), np.float32)),
    'other attributes than K': dict(attributes=np.zeros((3, 8), np.float32)),
    'attributes in one row': dict(attributes=np.zeros(16, np.float32)),
    'attributes that are NaN': dict(attributes=ZEROS * np.nan),
    'attributes as whole numbers': dict(attributes=ZEROS.astype(np.int64)),
    'attributes as texts': dict(attributes=np.array([['a'] * 8] * 2)),
    'embeddings that are infinite': dict(embeddings=np.full((6, 8), np.inf, np.float32)),
    'embeddings of fewer sentences': dict(embeddings=np.zeros((5, 8), np.float32)),
    'clusters that are none': dict(clusters=np.full(6, 2)),
    'negative clusters': dict(clusters=np.full(6, -1)),
    'sentences that are numbers': dict(sentences=np.arange(6)),
    'pickled sentences': dict(sentences=np.array([Payload()] * 6, dtype=object)),
    'an origin that is no JSON': dict(provenance=np.array('{')),
    'an origin that is a list': dict(provenance=np.array('[]')),
}
BANK_FILES = {
    'an empty bank': lambda: b'',
    'a bank of noise': lambda: b'x' * 99,
    'a bank that fills the memory': bomb,
    'an array alone': lambda: b'\x93NUMPY\x01\x00',
}
COUNTS = {
    f'{value!r} attributes': (value, r'num_attributes is .*must be a whole number in \[1, inf\)')
    for value in (0, -3, True, 2.0, '2', None, float('nan'))
} | {'more attributes than sentences': (7, r'7')}


def cache_of_nobody(folder: Path) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('MMSEG_EXCEL_CACHE', '~nobody_of_that_name/cache')
        return default_cache_dir()


NO_BANK = r'is not an attribute bank, or a damaged one'
ATTRIBUTE_BANKS = [
    *each(
        {name: (changes, NO_BANK) for name, changes in BANKS.items()},
        lambda folder, changes: load_bank(bank(folder, **changes)),
    ),
    *each(
        {name: (make, NO_BANK) for name, make in BANK_FILES.items()},
        lambda folder, make: load_bank(file(folder, make(), 'bank.npz')),
    ),
    *each(COUNTS, lambda folder, count: get_attribute_bank(Encoder(), SENTENCES, count, folder)),
    *each(
        {
            f'sentences={value!r}': (value, r'sentences is .*must be a list')
            for value in ('a', [], 3)
        },
        lambda folder, sentences: get_attribute_bank(Encoder(), sentences, 2, folder),
    ),
    Case(
        'no bank', lambda folder: load_bank(folder / 'none.npz'), r"no attribute bank '.*none.npz'"
    ),
    Case('a folder as a bank', load_bank, r'no attribute bank'),
    Case('a pipe as a bank', lambda folder: load_bank(fifo(folder)), r'no attribute bank'),
    Case('a cache in the home of nobody', cache_of_nobody, r"'~nobody_of_.*set MMSEG_EXCEL_CACHE"),
]

# Claimed folders ------------------------------------------------------------------------------

MADE_WITH = dict(
    model=dict(weights='ab', layers=5), crf=dict(iterations=10), sizes=[1, 2], tta=True
)


def claimed(folder: Path, **changes: object) -> None:
    """Claim a folder with a label in it that was claimed with other settings."""
    claim(folder / 'out', MADE_WITH)
    (folder / 'out' / 'cats').mkdir()
    (folder / 'out' / 'cats' / 'one.png').write_bytes(b'')
    claim(folder / 'out', MADE_WITH | changes)


OTHER_SETTINGS = {
    'another model': (
        dict(model=dict(weights='cd', layers=5)),
        r"model.weights was 'ab' and now is",
    ),
    'another CRF': (dict(crf=dict(iterations=5)), r'crf.iterations was 10 and now is 5'),
    'no CRF': (dict(crf=None), r"crf was \{'iterations': 10\} and now is None"),
    'another element': (dict(sizes=[1, 3]), r'sizes.1 was 2 and now is 3'),
    'another length': (dict(sizes=[1]), r'sizes was \[1, 2\] and now is \[1\]'),
    'a setting more': (dict(fp16=True), r'fp16 was absent and now is True'),
    'a number for a flag': (dict(tta=1), r'tta was True and now is 1'),
}


def with_record(folder: Path, content: bytes | None) -> None:
    (folder / 'out').mkdir()
    (folder / 'out' / 'one.png').write_bytes(b'')
    if content is not None:
        record_path(folder / 'out').write_bytes(content)
    claim(folder / 'out', MADE_WITH)


def with_pipe_as_record(folder: Path) -> None:
    os.mkfifo(record_path(folder / 'out'))
    with_record(folder, None)


RECORDS = {
    'labels without a record': None,
    'an empty record': b'',
    'a record cut in half': b'{"model": ',
    'a record of noise': bytes(range(128, 256)),
    'a record nested beyond all bounds': b'[' * 100_000,
}
CLAIMS = [
    *each(OTHER_SETTINGS, lambda folder, changes: claimed(folder, **changes)),
    *each(
        {
            name: (content, r"out' holds images of unknown or.*out.made_with.json'.*choose another")
            for name, content in RECORDS.items()
        },
        with_record,
    ),
    Case(
        'a record that is a list', lambda f: with_record(f, b'[]'), r'the record was \[\] and now'
    ),
    Case('a record that is a pipe', with_pipe_as_record, r'of unknown origin'),
    Case(
        'a file as folder',
        lambda f: claim(file(f, b'', 'out'), MADE_WITH),
        r"out' and its record.*cannot be written",
    ),
    Case(
        'a folder below a file',
        lambda f: claim(file(f, b'', 'x') + '/out', MADE_WITH),
        r'cannot be written',
    ),
]

# Class lists ----------------------------------------------------------------------------------


def dataset_of(folder: Path, classes=VOC_CLASSES, side: int = 48, **settings: object):
    """Two images and their tags."""
    (folder / 'images').mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for name in ('one', 'two'):
        pixels = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f'images/{name}.jpg')
    tags = settings.pop('tags', {'one': [classes[3]], 'two': []})
    write_tag_table(folder / 'tags.json', tags)
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(side, side), keep_ratio=False),
        dict(type='LoadImageTags'),
        dict(type='PackTaggedInputs'),
    ]
    default = dict(type='TagListDataset', classes=classes, pipeline=pipeline, data_root=str(folder))
    default |= dict(ann_file='tags.json', data_prefix=dict(img_path='images'))
    return DATASETS.build(default | settings)


def samples(folder: Path) -> list[SegDataSample]:
    """Of a data set whose classes stand in another order."""
    return [dataset_of(folder, REORDERED)[0]['data_samples']]


def hook(purpose: str, classes: tuple[str, ...]) -> Callable[[Path], object]:
    def act(folder: Path) -> object:
        loader = SimpleNamespace(dataset=dataset_of(folder, classes))
        good = SimpleNamespace(dataset=dataset_of(folder))
        loaders = dict.fromkeys(('train_dataloader', 'val_dataloader', 'test_dataloader'), good)
        loaders[f'{purpose}_dataloader'] = loader
        runner = SimpleNamespace(model=model(), val_loop=True, **loaders)
        return ClassNamesHook().before_test(runner) or ClassNamesHook().before_train(runner)

    return act


def inferencer(changed: str, classes: tuple[str, ...]) -> Callable[[Path], object]:
    def act(folder: Path) -> object:
        good = dict(
            dataset=dict(type='TagListDataset', classes=VOC_CLASSES, pipeline=[{'type': ''}])
        )
        bad = dict(dataset=good['dataset'] | dict(classes=classes))
        loaders = {f'{name}_dataloader': good for name in ('train', 'val', 'test')}
        config = dict(model=golden_config(), **loaders | {f'{changed}_dataloader': bad})
        return TagInferencer(Config(config), device='cpu')

    return act


def checkpoint(**changes: object) -> Callable[[Path], object]:
    """Load a checkpoint of the golden model into one with changes."""

    def act(folder: Path) -> object:
        other = MODELS.build(golden_config(**changes))
        return other.load_state_dict(model().state_dict())

    return act


def other_activation(folder: Path) -> object:
    state = model().state_dict()
    other = MODELS.build(golden_config())
    other.backbone.config = other.backbone.config | dict(quick_gelu=False)
    return other.load_state_dict(state)


def tagged(metainfo: object) -> Callable[[Path], object]:
    settings = dict(type='VOCTagsDataset', ann_file='list.txt', metainfo=metainfo)
    return lambda folder: DATASETS.build(settings | dict(data_root=str(folder)))


NAMES = ('background', 'cat', 'dog')
BLACK = [0, 0, 0]
NO_NAMES = r"VOCTagsDataset.metainfo\['classes'\] is .*distinct names, 'background' first"
NO_COLOURS = r"VOCTagsDataset.metainfo\['palette'\] is .*must be a list of RGB colours"
METAINFOS = {
    'a list as metainfo': ([], r'VOCTagsDataset.metainfo is \[\], but must be a dict'),
    'classes without background': (dict(classes=('cat', 'dog')), NO_NAMES),
    'background at the end': (dict(classes=('cat', 'background')), NO_NAMES),
    'background alone': (dict(classes=('background',)), NO_NAMES),
    'no classes': (dict(classes=()), NO_NAMES),
    'classes named twice': (dict(classes=(*NAMES, 'cat')), NO_NAMES),
    'classes as one text': (dict(classes='background'), NO_NAMES),
    'classes that are numbers': (dict(classes=('background', 1)), NO_NAMES),
    'an empty name': (dict(classes=('background', ' ')), NO_NAMES),
    'too few colours': (dict(classes=NAMES, palette=[BLACK] * 2), r'2 colours for 3 classes'),
    'too many colours': (dict(classes=NAMES, palette=[BLACK] * 4), r'4 colours for 3 classes'),
    'no colours': (dict(classes=NAMES, palette=[]), r'0 colours for 3 classes'),
    'colours as one text': (dict(classes=NAMES, palette='abc'), NO_COLOURS),
    'colours of two levels': (dict(classes=NAMES, palette=[[0, 0]] * 3), NO_COLOURS),
    'colours beyond white': (dict(classes=NAMES, palette=[[0, 0, 256]] * 3), NO_COLOURS),
    'colours in 0..1': (dict(classes=NAMES, palette=[[0.0, 0.5, 1.0]] * 3), NO_COLOURS),
}
STOCK = {
    'a stock data set without names': (
        dict(),
        r"has the classes \(\), but the first must be 'background'",
    ),
    'a stock data set without background': (
        dict(classes=VOC_CLASSES),
        r"has the classes \('aeroplane'",
    ),
    'a stock data set in another order': (dict(classes=('background', *REORDERED)), FIRST),
    'a stock data set of fewer classes': (
        dict(classes=('background', *VOC_CLASSES[:5])),
        r'there are 5 classes there and 20 in the model',
    ),
}
CLASS_LISTS = [
    Case(
        'training on classes in another order',
        lambda f: model().loss(torch.zeros(1, 3, 48, 48), samples(f)),
        FIRST,
    ),
    Case(
        'predicting with them',
        lambda f: model().predict(torch.zeros(1, 3, 48, 48), samples(f)),
        FIRST,
    ),
    Case(
        'labelling with them',
        lambda f: model().pseudo_labels(torch.zeros(1, 3, 48, 48), samples(f)),
        FIRST,
    ),
    Case(
        'a data set of other classes, before training',
        hook('train', REORDERED),
        rf'The training data set .*{FIRST}',
    ),
    Case(
        'before the first validation', hook('val', REORDERED), rf'The validation data set .*{FIRST}'
    ),
    Case('before a test', hook('test', REORDERED), rf'The test data set .*{FIRST}'),
    Case(
        'one class more, before training',
        hook('train', (*VOC_CLASSES, 'fish')),
        r'21 classes there and 20 in',
    ),
    *each(
        STOCK,
        lambda _, metainfo: check_dataset('It', SimpleNamespace(metainfo=metainfo), VOC_CLASSES),
    ),
    Case(
        'an inferencer, by its training data',
        inferencer('train', REORDERED),
        rf'train_dataloader.dataset .*{FIRST}',
    ),
    Case(
        'an inferencer, by its test data',
        inferencer('test', VOC_CLASSES[:9]),
        r'9 classes there and 20 in the model',
    ),
    Case(
        'a checkpoint of classes in another order',
        checkpoint(text_head__vocabulary=dict(classes=REORDERED)),
        r"knows the 20 classes aeroplane.*class 1 is 'aeroplane' there and 'bicycle' in the model",
    ),
    Case(
        'a checkpoint of another activation',
        other_activation,
        r'trained on the CLIP golden-tiny.*\(config.quick_gelu was True and now is False\) differ',
    ),
    *[Case(name, tagged(metainfo), says) for name, (metainfo, says) in METAINFOS.items()],
]

# Exports --------------------------------------------------------------------------------------


def export(folder: Path, data: dict | None = None, **settings: object) -> int:
    settings = dict(out_dir=folder / 'out', num_workers=0) | settings
    return export_pseudo_labels(model(), dataset_of(folder, **data or {}), **settings)


def exported_again(folder: Path, changes: dict) -> int:
    export(folder)
    return export(folder, **changes)


def with_other_refinement(folder: Path) -> int:
    export(folder)
    refinement = model().pseudo_labeler.pixel_adaptive
    refinement.iterations += 1
    try:
        return export(folder)
    finally:
        refinement.iterations -= 1


def of_another_folder(folder: Path) -> int:
    export(folder)
    other = folder / 'other'
    other.mkdir()
    return export_pseudo_labels(model(), dataset_of(other), folder / 'out', num_workers=0)


SETTINGS = {
    f'{name}={value!r}': ({name: value}, rf'{name} is .*must be')
    for name, values in dict(
        dynamic=('yes', 1, None),
        ignore_band=(-0.1, 2, float('nan'), '0.1', True),
        batch_size=(0, -1, 1.5, True, None),
        num_workers=(-1, 'two'),
    ).items()
    for value in values
}
CHANGES = {
    'other tags': (dict(data=dict(tags={'one': ['cat'], 'two': []})), r'data.images was'),
    'images of another size': (
        dict(data=dict(side=32)),
        r'data.pipeline.*scale.0 was 48 and now is 32',
    ),
    'an ignore band': (dict(ignore_band=0.5), r'ignore_band was 0.0 and now is 0.5'),
    'dynamic maps': (dict(dynamic=True), r'dynamic was False and now is True'),
}
FOLDERS = {
    'one folder for labels and confidences': 'out',
    'confidences inside the labels': 'out/leads',
    'labels inside the confidences': '.',
    'the same folder in other words': 'images/../out',
}
EXPORTS = [
    *each(SETTINGS, lambda folder, settings: export(folder, **settings)),
    *each(CHANGES, exported_again),
    *each(
        {
            name: (where, r'give them two folders, neither of them inside')
            for name, where in FOLDERS.items()
        },
        lambda folder, where: export(folder, confidence_dir=folder / where),
    ),
    Case(
        'classes in another order',
        lambda f: export(f, dict(classes=REORDERED)),
        rf'The data set .*{FIRST}',
    ),
    Case(
        'another refinement',
        with_other_refinement,
        r'pixel_adaptive.iterations was 20 and now is 21',
    ),
    Case('another data set of the same names', of_another_folder, r'data.data_root was'),
    Case(
        'labels among the images',
        lambda f: export(f, out_dir=f / 'images'),
        r"images' is a folder of the data set itself",
    ),
    Case(
        'confidences over masks',
        lambda f: [
            (f / 'masks').mkdir(),
            (f / 'masks/one.png').touch(),
            export(f, confidence_dir=f / 'masks'),
        ],
        r"masks' holds images of unknown origin",
    ),
]

# Results of sweeps ----------------------------------------------------------------------------


def results(**content: object) -> bytes:
    return json.dumps(dict(schema_version=1, runs={}, measured={}) | content).encode()


SCORED = dict(a=dict(scores=dict(mIoU=1.0)))
RESULTS = {
    'empty results': (b'', r"results.json' is not a JSON file"),
    'results with a mark in front': (b'\xef\xbb\xbf' + results(), r'is not a JSON file'),
    'results in UTF-16': (results().decode().encode('utf-16'), r'is not a JSON file'),
    'results nested beyond all bounds': (b'[' * 100_000, r'is not a JSON file'),
    'a list of results': (b'[]', r'holds no results of schema version 1'),
    'results of another version': (results(schema_version=2), r'no results of schema version 1'),
    'runs in a list': (results(runs=[]), r"'runs' and 'measured' must be objects"),
    'a run without scores': (results(runs=dict(a={})), r"run 'a' has no scores"),
    'scores that are texts': (
        results(runs=dict(a=dict(scores=dict(mIoU='1')))),
        r"run 'a' has no sc",
    ),
    'a run without measurements': (results(runs=SCORED), r"run 'a' has no measurements"),
}
SWEEPS = [
    *each(RESULTS, lambda folder, content: ResultsFile(file(folder, content, 'results.json'))),
    Case('a folder as results', ResultsFile, r'is no file to keep results in'),
    Case('a pipe as results', lambda folder: ResultsFile(fifo(folder)), r'is no file to keep'),
]

CASES = [*CLIP_NAMES, *CLIP_FILES, *ATTRIBUTE_BANKS, *CLAIMS, *CLASS_LISTS, *EXPORTS, *SWEEPS]


@pytest.fixture(autouse=True, scope='module')
def scope():
    register_all_modules(init_default_scope=True)


@pytest.mark.parametrize('case', CASES, ids=str)
def test_refused_in_one_sentence(case, tmp_path):
    case.check(tmp_path)


def test_a_bank_of_something_else_under_this_name_is_built_again(tmp_path):
    own = get_attribute_bank(Encoder(), SENTENCES, 2, tmp_path / 'own')
    (path,) = (tmp_path / 'own').iterdir()
    get_attribute_bank(Encoder(), SENTENCES[::-1], 2, tmp_path / 'other')
    (other,) = (tmp_path / 'other').iterdir()
    path.write_bytes(other.read_bytes())
    with pytest.warns(UserWarning, match='bank of something else: sentences.0 was .*built again'):
        again = get_attribute_bank(Encoder(), SENTENCES, 2, tmp_path / 'own')
    assert again.sentences == own.sentences


@pytest.mark.parametrize('changes', [dict(quick_gelu=False), dict(embed_dim=64, custom_text=True)])
def test_a_clip_is_its_configuration_too(changes, tmp_path):
    def identity(**changes: object) -> tuple:
        config = open_clip.get_model_config(MODEL_NAME) | changes
        (tmp_path / 'open_clip_config.json').write_text(json.dumps(dict(model_cfg=config)))
        clip = load_clip(f'local-dir:{tmp_path}', tiny_clip_file())
        return clip.vision_identity(), clip.text_encoder().fingerprint

    vision, text = identity()
    other_vision, other_text = identity(**changes)
    differ = 'quick_gelu' in changes  # the other changes say what is so anyway
    assert (vision != other_vision) == (text != other_text) == differ
    assert vision['sha256'] == other_vision['sha256']
