"""Checkpoints that are none, damaged, crafted, of another model, or of another run."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import load_checkpoint
from mmseg.registry import MODELS

from mmseg_excel.datasets.toy.voc_layout import write_voc_layout
from mmseg_excel.inference.inferencer import TagInferencer
from mmseg_excel.inference.loading import load_weights
from mmseg_excel.models import ExCEL
from mmseg_excel.utils.checkpoints import read_checkpoint

from ..datasets.tools import run_tool
from .case import Case, tool

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/excel_toy.py'
BIAS = 'decode_head.conv_seg.bias'
GLOBAL = 'model.text_head.mode=global'
# An older PyTorch reads a tensor that claims more than is there, and the model refuses it.
CLAIM_REFUSED = "could not be read as a checkpoint|does not fit the config: tensor '.*' is missing"


@functools.cache
def world() -> Path:
    """A toy world, and in `run` a training of two iterations with a checkpoint after each."""
    folder = Path(tempfile.mkdtemp())
    write_voc_layout(folder, num_train=3, num_val=1)
    assert run_tool('train', *training(folder / 'run')[1:], *options(folder)) is None
    return folder


def options(folder: Path) -> list[str]:
    return [
        '--cfg-options', GLOBAL, 'train_cfg.max_iters=2', 'default_hooks.checkpoint.interval=1',
        'train_dataloader.batch_size=2', 'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False', 'test_dataloader.num_workers=0',
        'test_dataloader.persistent_workers=False', 'val_dataloader=None', 'val_cfg=None',
        'val_evaluator=None', 'custom_hooks.3.interval=100',
        *(f'{split}_dataloader.dataset.data_root={folder}/VOC2012' for split in ('train', 'test')),
    ]  # fmt: skip


def training(work_dir: Path, *args: str) -> tuple:
    return ('train', CONFIG, '--work-dir', work_dir, *args)


def run_of(folder: Path, change: Callable[[Path], object]) -> Path:
    """A copy of the run, changed."""
    copy = folder / 'run'
    shutil.copytree(world() / 'run', copy)
    change(copy)
    return copy


def resume(work_dir: Path, *settings: str) -> None:
    tool(*training(work_dir, '--resume'), *options(world()), *settings)


@functools.cache
def model() -> ExCEL:
    world()  # registers all modules
    cfg = Config.fromfile(CONFIG)
    cfg.model.text_head.update(mode='global')
    return MODELS.build(cfg.model)


@functools.cache
def weights() -> dict[str, torch.Tensor]:
    return read_checkpoint(world() / 'run/iter_2.pth')['state_dict']


class Code:
    """What pickle would run."""

    def __reduce__(self):
        return (exec, ('raise SystemExit("executed")',))


# Files ------------------------------------------------------------------------------------------


def state(**changes: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """Our state dict with tensors replaced, added or, by None, removed; `__` stands for a dot."""
    named = {name.replace('__', '.'): tensor for name, tensor in changes.items()}
    return {name: t for name, t in (weights() | named).items() if t is not None}


def saved(content: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        torch.save(content() if callable(content) else content, folder / 'a.pth')
        return folder / 'a.pth'

    return write


def written(content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / 'a.pth').write_bytes(content)
        return folder / 'a.pth'

    return write


def made(make: Callable[[Path], object], name: str = 'a.pth') -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        make(folder / name)
        return folder / name

    return write


def cut(share: float) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        content = (world() / 'run/iter_2.pth').read_bytes()
        return written(content[: int(share * len(content))])(folder)

    return write


def flipped(folder: Path) -> Path:
    content = bytearray((world() / 'run/iter_2.pth').read_bytes())
    content[len(content) // 2] ^= 1
    return written(bytes(content))(folder)


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('a/data.pkl', bytes(10**7))


def claims_memory(path: Path) -> None:
    """A tensor of 4 GiB whose data are a kilobyte."""
    torch.save({'a': torch.arange(256.0)}, path)
    with zipfile.ZipFile(path) as archive:
        parts = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in parts.items():
            content = content.replace(b'M\x00\x01', b'J\x00\x00\x00\x40')
            archive.writestr(name, content)


def other_classes() -> dict[str, torch.Tensor]:
    return state(provenance=provenance(lambda p: p.update(classes=['left ear', 'tail'])))


def other_clip() -> dict[str, torch.Tensor]:
    return state(provenance=provenance(lambda p: p['clip'].update(sha256='f' * 64)))


def provenance(change: Callable[[dict], object]) -> torch.Tensor:
    stored = json.loads(bytes(weights()['provenance'].tolist()))
    change(stored)
    return as_bytes(json.dumps(stored))


def as_bytes(text: str) -> torch.Tensor:
    return torch.tensor(list(text.encode()), dtype=torch.uint8)


def of_bias(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Path], Path]:
    return saved(lambda: state(**{BIAS: change(weights()[BIAS])}))


UNREADABLE = {
    'missing': (lambda folder: folder / 'a.pth', "no checkpoint '.*a.pth'.*give a file"),
    'below a file': (made(lambda p: p.parent.write_bytes(b''), 'a/b.pth'), 'no checkpoint'),
    'folder': (made(Path.mkdir), "'.*a.pth' is a folder.*give a file"),
    'fifo': (made(os.mkfifo), 'is no regular file'),
    '/dev/zero': (lambda folder: '/dev/zero', "'/dev/zero' is no regular file"),
    '/proc/self/mem': (lambda folder: '/proc/self/mem', 'is empty|could not be read'),
    'name of 5000 letters': (lambda folder: folder / ('a' * 5000), 'cannot be read.*give a file'),
    'empty': (written(b''), "'.*a.pth' is empty"),
    'text': (written(b'not a checkpoint'), 'could not be read as a checkpoint.*give a file'),
    'zeros': (written(bytes(10000)), 'could not be read as a checkpoint'),
    'noise': (written(bytes(range(256)) * 40), 'could not be read as a checkpoint'),
    'picture': (
        lambda f: next((world() / 'VOC2012/JPEGImages').iterdir()),
        'could not be read as a checkpoint',
    ),
    'cut in the middle': (cut(0.5), 'could not be read as a checkpoint'),
    'last byte cut': (cut(1 - 1e-7), 'could not be read as a checkpoint'),
    'one bit flipped': (flipped, r"could not be read as a checkpoint \(its part '.*' is damaged"),
    'zip bomb': (made(bomb), 'could not be read as a checkpoint .it is compressed'),
    'claims 4 GiB': (made(claims_memory), CLAIM_REFUSED),
    'pickle with code': (saved(Code()), 'could not be read as a checkpoint.*plain data'),
    'code beside weights': (
        saved(lambda: dict(state_dict=state(), meta=Code())),
        'could not be read as a checkpoint',
    ),
    'whole model, pickled': (
        saved(lambda: torch.nn.Linear(2, 2)),
        'could not be read as a checkpoint',
    ),
    'number': (saved(3), "'.*a.pth' holds no tensors"),
    'list of tensors': (saved([torch.zeros(2)]), 'holds no tensors'),
    'dict without tensors': (saved(dict(epoch=3)), 'holds no tensors'),
    "optimiser's file": (
        lambda folder: world() / 'run/resume_2.pth',
        r'resume_2.pth. holds the optimiser .*iter_30000.pth',
    ),
    'sparse': (saved({'a': torch.zeros(2, 2).to_sparse()}), "tensor 'a' that is sparse"),
}
UNFIT = {
    'tensor missing': (saved(lambda: state(**{BIAS: None})), f"'{BIAS}' is missing"),
    'tensor unknown': (saved(lambda: state(extra=torch.zeros(1))), "'extra' is none of the model"),
    'tensor of another shape': (of_bias(lambda b: b[:-1]), f"'{BIAS}' is 10, but .* has 11"),
    'tensor of no dimension': (of_bias(lambda b: b[0]), f"'{BIAS}' is a scalar, but"),
    'half precision': (of_bias(torch.Tensor.half), f"'{BIAS}' is float16, but .* has float32"),
    'double precision': (of_bias(torch.Tensor.double), f"'{BIAS}' is float64, but"),
    'whole numbers': (of_bias(torch.Tensor.long), f"'{BIAS}' is int64, but"),
    'complex numbers': (of_bias(lambda b: b + 0j), f"'{BIAS}' is complex64, but"),
    'NaN': (of_bias(lambda b: b / 0 * 0), f"'{BIAS}' holds NaN or infinity"),
    'infinity': (of_bias(lambda b: b + float('inf')), f"'{BIAS}' holds NaN or infinity"),
    'NaN in class texts': (
        saved(lambda: state(text_head__class_texts=weights()['text_head.class_texts'] * torch.nan)),
        "'text_head.class_texts' holds NaN",
    ),
    'no provenance': (saved(lambda: state(provenance=None)), "has no 'provenance'.*give a file"),
    'provenance is no JSON': (
        saved(lambda: state(provenance=as_bytes('{'))), "'provenance'.* cannot be read",
    ),
    'provenance is a list': (
        saved(lambda: state(provenance=as_bytes('[]'))), "'provenance'.* cannot be read",
    ),
    'provenance without classes': (
        saved(lambda: state(provenance=provenance(lambda p: p.pop('classes')))),
        "'provenance'.* cannot be read",
    ),
    'provenance of floats': (
        saved(lambda: state(provenance=torch.zeros(9))), "'provenance'.* cannot be read",
    ),
    'provenance nested too deep': (
        saved(lambda: state(provenance=as_bytes('[' * 10**5))), "'provenance'.* cannot be read",
    ),
    'provenance without end': (
        saved(lambda: state(provenance=torch.zeros(1, dtype=torch.uint8).expand(10**12))),
        "'provenance'.* cannot be read",
    ),
    'other classes': (saved(other_classes), '2 classes left ear, tail, but this model has 10'),
    'another CLIP': (saved(other_clip), 'trained on the CLIP excel-toy .*set model.backbone'),
    'ResNet': (saved({'conv1.weight': torch.zeros(3)}), "tensor '.*' is missing"),
}  # fmt: skip


def by_tool(name: str, *args: str, out: str = '--work-dir') -> Callable[[Path, Path], None]:
    def act(folder: Path, path: Path) -> None:
        tool(name, CONFIG, path, *args, out, folder / 'out', *options(world()))

    return act


def start_from(folder: Path, path: Path) -> None:
    tool(*training(folder / 'new'), *options(world()), f'load_from={path}')


def resume_from(folder: Path, path: Path) -> None:
    tool(*training(folder / 'new', '--resume'), *options(world()), f'load_from={path}')


def convert(folder: Path, path: Path, *args: str) -> None:
    out = folder / 'out.pth'
    try:
        tool('convert_checkpoint', CONFIG, path, '--out', out, *args, '--cfg-options', GLOBAL)
    finally:
        assert not out.exists()


def stock(folder: Path, path: Path) -> None:
    """As MMSegmentation's APIs load it, which read before the segmentor can say a word."""
    load_checkpoint(model(), str(path), map_location='cpu', logger='silent')


READERS = {
    'load_weights': (lambda folder, path: load_weights(model(), path), UNREADABLE | UNFIT),
    'MMEngine': (stock, UNFIT),
    'test.py': (
        by_tool('test'),
        ['missing', 'folder', 'pickle with code', "optimiser's file", 'cut in the middle']
        + ['tensor missing', 'NaN', 'no provenance'],
    ),
    'test.py --tta': (by_tool('test', '--tta'), ['ResNet']),
    'train.py load_from': (
        start_from,
        ['missing', 'fifo', 'pickle with code', "optimiser's file", 'tensor missing', 'NaN'],
    ),
    'train.py --resume load_from': (
        resume_from, ['missing', 'empty', 'pickle with code', "optimiser's file"],
    ),
    'TagInferencer': (
        lambda folder, path: TagInferencer('excel_toy', path),
        ['missing', 'pickle with code', 'tensor of another shape', 'another CLIP'],
    ),
    'convert_checkpoint': (
        convert,
        ['missing', 'zip bomb', 'pickle with code', "optimiser's file", 'dict without tensors'],
    ),
    'convert_checkpoint --to-reference': (
        functools.partial(lambda act, folder, path: act(folder, path, '--to-reference'), convert),
        ['missing', 'pickle with code', 'NaN', 'tensor missing', 'no provenance'],
    ),
    'make_pseudo_labels': (
        by_tool('make_pseudo_labels', out='--out'),
        ['missing', 'pickle with code', 'NaN', 'tensor unknown', "optimiser's file"],
    ),
}  # fmt: skip


def reading(reader: Callable, make: Callable) -> Callable[[Path], None]:
    return lambda folder: reader(folder, make(folder))


FILES = UNREADABLE | UNFIT
READING = [
    Case(f'{name}: {kind}', reading(reader, FILES[kind][0]), FILES[kind][1])
    for name, (reader, kinds) in READERS.items()
    for kind in kinds
]


# Runs -------------------------------------------------------------------------------------------


def edited(name: str, change: Callable[[dict], object]) -> Callable[[Path], None]:
    """Change a stored file of a run."""

    def act(run: Path) -> None:
        content = torch.load(run / name, weights_only=True)
        change(content)
        torch.save(content, run / name)

    return act


def only_last(change: Callable[[Path], object]) -> Callable[[Path], None]:
    """Without the first checkpoint, which would be resumed from instead."""

    def act(run: Path) -> None:
        (run / 'iter_1.pth').unlink()
        change(run)

    return act


def damaged(run: Path) -> None:
    os.truncate(run / 'iter_2.pth', 5000)


def moment(name: str, value: torch.Tensor) -> Callable[[Path], None]:
    return edited('resume_2.pth', lambda c: c['optimizer']['state'][0].update({name: value}))


def again(*settings: str) -> Callable[[Path], None]:
    return lambda folder: resume(run_of(folder, lambda run: None), *settings)


def broken(change: Callable[[Path], object]) -> Callable[[Path], None]:
    return lambda folder: resume(run_of(folder, only_last(change)))


RUNS = [
    Case(
        'work dir in use',
        lambda folder: tool(
            *training(run_of(folder, lambda run: None)), *options(world())
        ),
        'holds a training already .iter_2.pth.*--resume.*--work-dir.*remove',
    ),
    Case('another seed', again('randomness.seed=5'), 'randomness.seed was 0 and now is 5.*back'),
    Case(
        'another N_svc',
        again('model.neck.num_layers=3'),
        r'iter_2.pth. is of another recipe: model.neck.num_layers was 5 and now is 3.*--work-dir'
        '.*allow_changes=True',
    ),
    Case(
        'another schedule',
        again('custom_hooks.0.dynamic_from=1'),
        'custom_hooks.0.dynamic_from was 700 and now is 1',
    ),
    Case(
        'another batch size',
        again('train_dataloader.batch_size=1'),
        'train_dataloader.batch_size was 2 and now is 1',
    ),
    Case('mixed precision', again('optim_wrapper.type=AmpOptimWrapper'), 'optim_wrapper.type was'),
    Case('allow_changes is no flag', again('default_hooks.guard.allow_changes=7'),
         'allow_changes is 7, but must be True or False'),
    Case('last checkpoint cut', broken(damaged), 'No checkpoint.*can be resumed.*To start anew'),
    Case(
        'optimiser missing',
        broken(lambda run: (run / 'resume_2.pth').unlink()),
        "resume_2.pth' is missing",
    ),
    Case(
        'optimiser cut',
        broken(lambda run: os.truncate(run / 'resume_2.pth', 100)),
        "resume_2.pth' could not be read",
    ),
    Case(
        'code in the optimiser',
        broken(lambda run: torch.save(Code(), run / 'resume_2.pth')),
        "resume_2.pth' could not be read",
    ),
    Case('NaN in the optimiser', broken(moment('exp_avg', torch.tensor([torch.nan]))),
         "tensor '0.exp_avg' holds NaN"),
    Case('optimiser of another model', broken(moment('exp_avg', torch.zeros(3))),
         "optimiser does not fit.*'0.exp_avg' is .3,."),
    Case('weights alone', broken(edited('iter_2.pth', lambda c: c.pop('meta'))),
         'holds weights alone.*load_from'),
    Case('iteration is a text',
         broken(edited('iter_2.pth', lambda c: c['meta'].update(iter='2'))), 'weights alone'),
    Case('recipe unreadable',
         broken(edited('iter_2.pth', lambda c: c['meta'].update(recipe='{'))), 'recipe.*read'),
    Case('NaN in the weights', broken(edited(
        'iter_2.pth', lambda c: c['state_dict'][BIAS].fill_(torch.nan))), f"'{BIAS}' holds NaN"),
    Case('work dir is a file', lambda folder: tool(
        *training(made(Path.touch)(folder)), *options(world())), 'a.pth'),
    Case('work dir below a file', lambda folder: tool(
        *training(made(Path.touch)(folder) / 'run'), *options(world())), 'a.pth'),
    Case('work dir that nobody can write', lambda folder: tool(
        *training(Path('/proc/run')), *options(world())), '/proc'),
    Case('test without a checkpoint', lambda folder: tool(
        'test', CONFIG, *options(world())), 'Without a checkpoint.*source=cam'),
    Case('empty name', lambda folder: tool(
        'make_pseudo_labels', CONFIG, '', '--out', folder / 'labels', *options(world())), 'folder'),
]  # fmt: skip


@pytest.mark.parametrize('case', READING + RUNS, ids=str)
def test_it_is_refused_in_one_sentence(case, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        case.check(tmp_path)


def test_what_is_no_path_is_refused():
    for path in (None, 7, b'a', ['a']):
        with pytest.raises(ValueError, match=re.escape(f'checkpoint is {path!r}, but')):
            load_weights(model(), path)


def test_a_refused_test_leaves_no_work_dir(tmp_path):
    """Whatever a runner wrote there before the checkpoint turned out to be another model's."""
    foreign = tmp_path / 'foreign.pth'
    torch.save(read_checkpoint(world() / 'run/iter_2.pth') | dict(state_dict={}), foreign)
    with pytest.raises(ValueError, match='foreign.pth'):
        tool('test', CONFIG, foreign, '--work-dir', tmp_path / 'run', *options(world()))
    assert not (tmp_path / 'run').exists()
