"""Work dirs that are none, damaged or hostile, before `tools/report.py`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mmseg_excel.inference.loading import read_config
from mmseg_excel.visualization.report_page import WorkDir, report_page
from mmseg_excel.visualization.scalars import read_scalars

from .case import Case, tool

SCALARS = '20260101/vis_data/scalars.json'


@pytest.fixture(scope='module')
def template(tmp_path_factory) -> Path:
    """A work dir that nothing is wrong with, up to its checkpoint."""
    folder = tmp_path_factory.mktemp('template') / 'run'
    folder.mkdir()
    read_config('excel_toy').dump(folder / 'excel_toy.py')
    torch.save(dict(state_dict={}, meta={}), folder / 'iter_2.pth')
    (folder / 'last_checkpoint').write_text('/elsewhere/iter_2.pth')
    (folder / SCALARS).parent.mkdir(parents=True)
    (folder / SCALARS).write_text(json.dumps(dict(step=1, loss=2.0)))
    return folder


def report(*args: object) -> Callable[[Path], None]:
    return lambda folder: tool('report', '--device', 'cpu', folder / 'run', *args)


def without(name: str) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        (folder / 'run' / name).unlink()
        report()(folder)

    return act


def holding(name: str, content: bytes | str) -> Callable[[Path], None]:
    """One file of the work dir holds something else."""

    def act(folder: Path) -> None:
        data = content if isinstance(content, bytes) else content.encode()
        (folder / 'run' / name).write_bytes(data)
        report()(folder)

    return act


def instead(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Something that is no file stands in the place of one."""

    def act(folder: Path) -> None:
        (folder / 'run' / name).unlink()
        make(folder / 'run' / name)
        report()(folder)

    return act


def written(name: str, make: Callable[[Path], object] = lambda path: None):
    def act(folder: Path) -> None:
        make(folder / name)
        report('--out', folder / name)(folder)

    return act


def line(**record: object) -> str:
    return json.dumps(dict(step=1, loss=1.0) | record) + '\n'


RECORD_SAYS = r"scalars.json', line 1 is .*, not a record of scalars: remove the file, or the line"
IMAGES_SAYS = r'--images is .*, but must be a whole number in \[1, inf\)'
TRAINED = 'give a folder that tools/train.py wrote'
CHECKPOINT = 'give one that tools/train.py wrote'

CASES = [
    Case('no folder', lambda folder: tool('report', folder / 'none'), f'no work dir .*: {TRAINED}'),
    Case(
        'an empty name',
        lambda folder: tool('report', ''),
        'holds no config|several configs|no last_checkpoint',
    ),
    Case('NUL in the name', lambda folder: tool('report', 'a\0b'), f'no work dir .*: {TRAINED}'),
    Case('a long name', lambda folder: tool('report', 'x' * 5000), 'no work dir .*'),
    Case(
        'a file',
        lambda folder: tool('report', folder / 'run/excel_toy.py'),
        f'is no folder: {TRAINED}',
    ),
    Case('a device', lambda folder: tool('report', '/dev/zero'), f'is no folder: {TRAINED}'),
    Case('no config', without('excel_toy.py'), f'holds no config: {TRAINED}'),
    Case('a folder as config', instead('excel_toy.py', Path.mkdir), f'holds no config: {TRAINED}'),
    Case('a pipe as config', instead('excel_toy.py', os.mkfifo), f'holds no config: {TRAINED}'),
    Case('two configs', holding('mine.py', ''), "several configs .*: keep the run's own"),
    Case('a config of nothing', holding('excel_toy.py', ''), 'excel_toy.py|model'),
    Case('a config of text', holding('excel_toy.py', 'Dear Sir'), 'excel_toy.py'),
    Case('a binary config', holding('excel_toy.py', bytes(range(256))), 'excel_toy.py'),
    Case('a config with half a line', holding('excel_toy.py', 'model = dict('), 'excel_toy.py'),
    Case('no checkpoint yet', without('last_checkpoint'), 'no last_checkpoint yet: give a check'),
    Case('a lost checkpoint', without('iter_2.pth'), f'no checkpoint .*iter_2.pth.*: {CHECKPOINT}'),
    Case('another checkpoint', report('no.pth'), f"no checkpoint 'no.pth': {CHECKPOINT}"),
    Case('a folder as checkpoint', report('/'), f"no checkpoint '/': {CHECKPOINT}"),
    Case('a device as checkpoint', report('/dev/zero'), f"no checkpoint '/dev/zero': {CHECKPOINT}"),
    Case('a checkpoint of nothing', holding('iter_2.pth', ''), 'iter_2.pth'),
    Case('a checkpoint of text', holding('iter_2.pth', 'weights'), 'iter_2.pth'),
    Case('a pickle', holding('iter_2.pth', b'\x80\x04K\x01.'), 'iter_2.pth'),
    Case('a checkpoint of no tensors', report(), 'iter_2.pth'),
    Case('a pointer of nothing', holding('last_checkpoint', ''), f'no checkpoint .*: {CHECKPOINT}'),
    Case('a pointer of blanks', holding('last_checkpoint', ' \n'), f'no checkpoint.*{CHECKPOINT}'),
    Case('a binary pointer', holding('last_checkpoint', b'\xff\xfe'), 'last_checkpoint'),
    Case('a pointer with NUL', holding('last_checkpoint', 'a\0b'), f'no checkpoint.*{CHECKPOINT}'),
    Case('a long pointer', holding('last_checkpoint', 'x' * 9999), f'no checkpoint.*{CHECKPOINT}'),
    Case(
        'a folder as pointer',
        instead('last_checkpoint', Path.mkdir),
        'no last_checkpoint yet: give a checkpoint',
    ),
    Case(
        'a pointer at a device',
        holding('last_checkpoint', '/dev/zero'),
        f'no checkpoint.*{CHECKPOINT}',
    ),
    Case('no scalars', without(SCALARS), r'holds no \*/vis_data/scalars.json'),
    Case('a folder as scalars', instead(SCALARS, Path.mkdir), 'is a folder, not a file of scalars'),
    Case('a pipe as scalars', instead(SCALARS, os.mkfifo), 'is a device or a pipe'),
    Case('binary scalars', holding(SCALARS, b'\xff\xfe\0'), 'scalars.json'),
    *(
        Case(f'scalars of {text[:20]!r}', holding(SCALARS, f'{text}\n{line()}'), RECORD_SAYS)
        for text in (
            *('nonsense', '[]', '1', 'null', '"loss"', '[' * 99_999, '{"step": 1'),
            *(line(step=s).strip() for s in (-1, '1', 1.5, None, True, 10**13, [1])),
            *(line(loss=value).strip() for value in (1e31, -(10**400))),
        )
    ),
    *(
        Case(f'{number} images', report(f'--images={number}'), r'--images: it is .*\[1, inf\)')
        for number in (0, -1, -(10**30))
    ),
    *(
        Case(f'{number!r} images', report(f'--images={number}'), r'--images: it is .*\[1, inf\)')
        for number in ('all', '', '1.5', 'nan')
    ),
    Case('a folder to write', written('out', Path.mkdir), 'is there and is no regular file'),
    Case('a pipe to write', written('out', os.mkfifo), 'is there and is no regular file'),
    Case('a file as folder', written('run/excel_toy.py/out'), 'is no folder'),
    Case('a long name to write', written('x' * 300), 'cannot be written'),
    Case('NUL in a name to write', written('a\0b'), 'is no name of a file'),
    Case('no device', lambda folder: tool('report', folder / 'run', '--device', 'warp'), 'warp'),
]


@pytest.fixture
def folder(template, tmp_path) -> Path:
    shutil.copytree(template, tmp_path / 'run')
    return tmp_path


@pytest.mark.parametrize('case', CASES, ids=str)
def test_bad_work_dirs(case, folder):
    case.check(folder)
    assert not (folder / 'run/report.html').exists()


@pytest.mark.parametrize('number', ['1', 1.5, 0, True, float('nan')])
def test_numbers_of_images(number, folder):
    work_dir = WorkDir.find(folder / 'run')
    Case('images', lambda _: report_page(work_dir, number), IMAGES_SAYS).check(folder)


@pytest.mark.parametrize('number', [None, '1', -1, 1.5])
def test_numbers_of_images_shown(number, folder):
    work_dir = WorkDir.find(folder / 'run')
    Case('shown', lambda _: report_page(work_dir, shown=number), 'shown is .*whole').check(folder)


def test_losses_beyond_numbers_are_no_damage(folder):
    """Training may diverge; its curves have gaps there."""
    text = line(loss=float('nan')) + line(step=2, loss=float('inf')) + line(step=3, name='x')
    (folder / 'run' / SCALARS).write_text(text)
    assert list(read_scalars(folder / 'run')['loss']) == [1, 2, 3]
