"""Command lines with numbers out of range, outputs in the way, and tables that are none."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mmseg_excel.ablation import ResultsFile, sweep
from mmseg_excel.ablation.sweep import check_devices
from mmseg_excel.datasets.toy.voc_layout import write_voc_layout
from mmseg_excel.inference.inferencer import TagInferencer
from mmseg_excel.inference.subject import (
    Subject,
    each_subject,
    subjects_of_dataset,
    subjects_of_files,
)
from mmseg_excel.utils.cli import bad_input_exits, bad_input_exits_while_working
from mmseg_excel.visualization.attention import attention_figure
from mmseg_excel.visualization.attribute_responses import attributes_figure
from mmseg_excel.visualization.cam import cam_figure
from mmseg_excel.visualization.convergence import convergence_figure
from mmseg_excel.visualization.scalars import read_scalars
from mmseg_excel.visualization.segmentation import segmentation_figure

from ..datasets.tools import run_tool
from .case import Case, tool

CONFIGS = Path(__file__).parents[2] / 'configs'
TOY, PSEUDO = CONFIGS / 'excel_toy.py', CONFIGS / 'deeplabv3plus_voc_pseudo.py'
TABLE = CONFIGS / 'ablations/table_1a.py'
ARGUMENTS = {
    'train': (TOY,),
    'test': (TOY, 'checkpoint.pth'),
    'make_pseudo_labels': (TOY, '--out', 'labels'),
    'ablate': (TABLE, '--base', TOY),
    'inspect_text': (TOY,),
    'build_attributes': (TOY,),
    'convert_checkpoint': (TOY, 'checkpoint.pth', '--out', 'other.pth'),
    'visualize': ('cam', 'excel_toy'),
    'demo': (),
    'train_toy_clip': (),
}
CONFIG_TOOLS = [name for name in ARGUMENTS if name not in ('visualize', 'demo', 'train_toy_clip')]
NUMBERS = {
    ('train', '--seed'): ('-1', '4294967296', '1e3', 'x', ''),
    ('train', '--local-rank'): ('-1', 'x'),
    ('test', '--wait-time'): ('-1', 'nan', 'inf', 'x'),
    ('make_pseudo_labels', '--batch-size'): ('0', '-4', '1.5', 'x', '100000'),
    ('make_pseudo_labels', '--ignore-band'): ('-0.1', '2', 'nan', 'x'),
    ('ablate', '--seeds'): ('-1', 'x', '1' + '0' * 30),
    ('inspect_text', '--top'): ('0', '-5', 'x'),
    ('visualize', '--samples'): ('-1', 'x', '1.5'),
    ('demo', '--seed'): ('-1', '1' + '0' * 30),
    ('demo', '--panel-images'): ('0', '-1', '101', 'x'),
    ('train_toy_clip', '--steps'): ('0', '-1', 'x'),
    ('train_toy_clip', '--lr'): ('0', '-1', 'nan', 'inf'),
    ('train_toy_clip', '--processes'): ('0', '1000000'),
    ('train_toy_clip', '--seed'): ('-1',),
}
OUTPUTS = {
    ('train', '--work-dir'): 'folder',
    ('test', '--work-dir'): 'folder',
    ('test', '--out'): 'folder',
    ('test', '--show-dir'): 'folder',
    ('make_pseudo_labels', '--out'): 'folder',
    ('make_pseudo_labels', '--confidence'): 'folder',
    ('ablate', '--work-dir'): 'folder',
    ('visualize', '--out'): 'folder',
    ('demo', '--work-dir'): 'folder',
    ('demo', '--data-root'): 'folder',
    ('inspect_text', '--picture'): 'file',
    ('build_attributes', '--out'): 'file',
    ('convert_checkpoint', '--out'): 'file',
    ('train_toy_clip', '--out'): 'file',
}
PAIRS = ('a', '=3', 'a=', '', '=', 'model.neck.num_layers', 'a=[1,2', 'a=((1,2)')


def running(name: str, *more: object) -> Callable[[Path], object]:
    return lambda folder: tool(name, *ARGUMENTS[name], *more)


def in_the_way(name: str, option: str, kind: str) -> Callable[[Path], object]:
    """Name something that is there and is no such output."""

    def act(folder: Path) -> object:
        path = folder / 'thing'
        path.write_text('mine') if kind == 'folder' else path.mkdir()
        return tool(name, *ARGUMENTS[name], option, path)

    return act


def below_a_file(name: str, option: str) -> Callable[[Path], object]:
    def act(folder: Path) -> object:
        (folder / 'thing').write_text('mine')
        return tool(name, *ARGUMENTS[name], option, folder / 'thing/below/it')

    return act


def table(**changes: object) -> Callable[[Path], object]:
    """Run a table that differs from a good one."""
    good = dict(
        name='x',
        title='Layers',
        head='N',
        columns=['M, training-free'],
        rows=[dict(label='1', options={'model.neck.num_layers': 1}, paper={'M': 71.9})],
    )
    content = {key: value for key, value in (good | changes).items() if value is not ...}

    def act(folder: Path) -> object:
        (folder / 'table.py').write_text('\n'.join(f'{k} = {v!r}' for k, v in content.items()))
        return tool('ablate', folder / 'table.py', '--base', TOY, '--work-dir', folder / 'work')

    return act


def row(**changes: object) -> Callable[[Path], object]:
    return table(rows=[dict(label='1', options={}) | changes])


def described(folder: Path) -> object:
    """Sweep over a world whose descriptions are gone."""
    write_voc_layout(folder, num_train=1, num_val=1)
    root = folder / 'VOC2012'
    return tool(
        *('ablate', TABLE, '--base', TOY, '--work-dir', folder / 'work', '--cfg-options'),
        *(f'{split}_dataloader.dataset.data_root={root}' for split in ('train', 'val')),
        'model.text_head.num_attributes=100000',
    )


def damaged_result(folder: Path) -> object:
    (folder / 'runs/key').mkdir(parents=True)
    (folder / 'runs/key/result.json').write_text('{"run": 3')
    return sweep({'key': None}, ResultsFile(folder / 'r.json'), folder / 'runs', ['cpu'], print)


def scalars(*lines: str | bytes, metric: str = 'mIoU') -> Callable[[Path], object]:
    """Draw the curve of a run that logged some lines."""

    def act(folder: Path) -> object:
        (folder / 'run/vis_data').mkdir(parents=True)
        content = b'\n'.join(x if isinstance(x, bytes) else x.encode() for x in lines)
        (folder / 'run/vis_data/scalars.json').write_bytes(content)
        return convergence_figure([folder], metric)

    return act


def launched(rank: str, size: str) -> Callable[[Path], object]:
    """Train as a launcher would start it."""

    def act(folder: Path) -> object:
        variables = dict(RANK=rank, WORLD_SIZE=size, MASTER_ADDR='127.0.0.1', MASTER_PORT='29999')
        with pytest.MonkeyPatch.context() as environment:
            for name, value in variables.items():
                environment.setenv(name, value)
            return tool('train', TOY, '--launcher', 'pytorch')

    return act


OPTIONS = [
    *(
        Case(f'{name} {option} {value}', running(name, option, value), rf'{option}.*must be a')
        for (name, option), values in NUMBERS.items()
        for value in values
    ),
    *(
        Case(f'{name} {option} in the way', in_the_way(name, option, kind), f'{option}.*thing.* is')
        for (name, option), kind in OUTPUTS.items()
    ),
    *(
        Case(f'{name} {option} below a file', below_a_file(name, option), f'{option}.*is no folder')
        for name, option in OUTPUTS
    ),
    *(
        Case(f'{name} {option} {value!r}', running(name, option, value), rf'{option}.*no name of a')
        for name, option in OUTPUTS
        for value in ('', 'a\0b')
    ),
    *(
        Case(f'{name} --cfg-options {pair}', running(name, '--cfg-options', pair), 'options.*no')
        for name, pair in zip(CONFIG_TOOLS * 2, PAIRS, strict=False)
    ),
    *(
        Case(
            f'{name} without such a setting',
            running(name, '--cfg-options', 'model.nek.num_layers=3'),
            "no setting 'model.nek.num_layers'",
        )
        for name in CONFIG_TOOLS
    ),
    *(
        Case(f'{name} without its config', lambda f, n=name, a=arguments: tool(
            n, *('no.py' if argument == TOY else argument for argument in a)), r"config 'no\.py'")
        for name, arguments in ARGUMENTS.items()
        if name in CONFIG_TOOLS
    ),
    *(
        Case(f'{name} --launcher {launcher}', running(name, '--launcher', launcher), launcher)
        for name in ('train', 'test', 'make_pseudo_labels')
        for launcher in ('pytorch', 'slurm', 'mpi')
    ),
    *(
        Case(f'RANK={rank} of {size}', launched(rank, size), 'RANK|WORLD_SIZE')
        for rank, size in (('x', '1'), ('-1', '1'), ('1', '1'), ('0', ''), ('', '2'))
    ),
    Case('an unknown launcher', running('train', '--launcher', 'ssh'), 'invalid choice'),
    Case('an unknown option', running('train', '--sed', '3'), 'unrecognized arguments: --sed'),
    Case('no config', lambda f: tool('train'), 'required: config'),
    Case('scenes', running('train_toy_clip', '--scenes', '3'), 'at most --scenes'),
]  # fmt: skip

TOOLS = [
    Case('train: another segmentor', lambda f: tool('train', CONFIGS / '_base_/default_runtime.py'),
         'does not set `model`'),
    Case('train: no schedule', running('train', '--amp', '--cfg-options', 'optim_wrapper=None'),
         'does not set `optim_wrapper'),
    Case('train: a seed', running('train', '--cfg-options', 'randomness=3'), 'randomness is 3'),
    Case('test: untrained', lambda f: tool('test', TOY), 'Without a checkpoint only'),
    Case('test: another segmentor', lambda f: tool('test', PSEUDO), 'Without a checkpoint only'),
    Case('test: no views', lambda f: tool('test', PSEUDO, 'a.pth', '--tta'), '`tta_model`'),
    Case('test: no server', running('test', '--format-only'), '`format_only_dataloader'),
    Case('test: no evaluator', running('test', '--cfg-options', 'test_evaluator=None'), 'evalu'),
    Case('labels: another segmentor', lambda f: tool('make_pseudo_labels', PSEUDO, '--out', f),
         'PascalVOC|text_head|VOC2012'),
    Case('labels: no split', running('make_pseudo_labels', '--split', 'all'), 'invalid choice'),
    Case('labels: no loader', running('make_pseudo_labels', '--cfg-options',
         'train_dataloader=None'), '`train_dataloader.dataset.data_prefix`'),
    Case('texts: another segmentor', lambda f: tool('inspect_text', PSEUDO), 'no ExCEL model'),
    Case('texts: no class', running('inspect_text', '--classes', 'unicorn'), "no class 'unicorn'"),
    Case('figure: no such kind', lambda f: tool('visualize', 'dream'), 'invalid choice'),
    Case('figure: no config', lambda f: tool('visualize', 'cam', 'excel_tou'), 'packaged ones'),
    Case('figure: no device', running('visualize', '--device', 'tpu'), "'tpu' is no device"),
    Case('figure: a point', lambda f: tool('visualize', 'attention', TOY, '--point', 'nan', '3'),
         '--point.*must be a number'),
    Case('figure: half a point', lambda f: tool('visualize', 'attention', TOY, '--point', '3'),
         '--point'),
    Case('figure: no attributes', lambda f: tool('visualize', 'attributes', TOY, '--count', '0'),
         '--count.*must be a whole'),
    Case('figure: no work dir', lambda f: tool('visualize', 'convergence', f), 'holds no'),
]  # fmt: skip
if not torch.cuda.is_available():
    TOOLS.append(
        Case('no GPU', running('visualize', '--device', 'cuda'), "'cuda'.*choose from cpu")
    )

TABLES = [
    *(Case(f'no {key}', table(**{key: ...}), f"does not set '{key}'") for key in
      ('name', 'title', 'head', 'columns', 'rows')),
    *(Case(f'{key} = 3', table(**{key: 3}), f'{key} is 3, but must be a') for key in
      ('name', 'title', 'head', 'columns', 'rows')),
    Case('a title', table(title=None), 'title is None'),
    Case('no columns', table(columns=[]), r'columns is \[\], but must be a list'),
    Case('columns as a text', table(columns='M'), "columns is 'M', but must be a list"),
    Case('an unknown column', table(columns=['mIoU']), "'mIoU': there are 'Maps', 'M, training"),
    Case('a column of None', table(columns=[None]), 'a column None'),
    Case('a column twice', table(columns=['M', 'M']), 'names a column twice'),
    Case('no rows', table(rows=[]), r'rows is \[\], but must be a list'),
    Case('rows as a dict', table(rows=dict(label='')), 'rows is .*must be a list'),
    Case('a row that is a number', table(rows=[3]), 'a row that is none'),
    Case('no label', table(rows=[dict(options={})]), "a row that is none.*'label'"),
    Case('an unknown key', row(lable='1'), "a row that is none.*'lable'"),
    Case('a label', row(label=1), 'a row whose label is 1'),
    Case('options', row(options=['model']), r"a row whose options is \['model'\]"),
    Case('an unknown setting', row(options={'model.neck.layers': 1}), "'model.neck.layers'"),
    Case('a paper', row(paper=[77.2]), 'a row whose paper is'),
    Case('an unknown paper column', row(paper={'mIoU': 77.2}), "a column 'mIoU'"),
    *(Case(f'paper {value!r}', row(paper={'M': value}), "'M' of the paper.*must be a number") for
      value in ('78', None, -1, 780, True)),
    Case('a syntax error', lambda f: (f / 'table.py').write_text('rows = [') and tool(
        'ablate', f / 'table.py'), r"table\.py', line 1 is not py"),
    Case('no table', lambda f: tool('ablate', f / 'no.py'), r'no\.py'),
    Case('another config', lambda f: tool('ablate', TOY), "does not set 'name'"),
    Case('a seed twice', running('ablate', '--seeds', '1', '1'), '--seeds names one twice: 1 1'),
    Case('no such device', running('ablate', '--devices', 'tpu'), "'tpu' is not to be had"),
    Case('another base', lambda f: tool('ablate', TABLE, '--base', PSEUDO), '`model.text_head`'),
    Case('too many attributes', described, 'sentences cannot be clustered into 100000'),
    Case('results', lambda f: (f / 'results.json').write_text('[') and tool(
        'ablate', TABLE, '--base', TOY, '--work-dir', f, '--dry-run'), r'results\.json'),
    Case('the result of a run', damaged_result, r'result\.json'),
    *(Case(f'devices {v!r}', lambda f, v=v: check_devices(v), '[Dd]evices? ') for v in
      ([], 'cpu', None, ['cuda:99'])),
]  # fmt: skip

SCALARS = [
    Case('no such folder', lambda f: read_scalars(f / 'no'), 'holds no'),
    Case('no work dirs', lambda f: convergence_figure([]), r'work_dirs is \[\]'),
    Case('one work dir', lambda f: convergence_figure('work'), "work_dirs is 'work'"),
    Case('rubbish', scalars('rubbish', '{"step": 1, "mIoU": 2}'), r"scalars\.json', line 1"),
    Case('binary', scalars(b'\xff\xfe\x00'), 'is not UTF-8 text'),
    Case('numbers', scalars('3', '4'), r"scalars\.json', line 1 is '3'"),
    Case('an unknown metric', scalars('{"step": 1, "loss": 2}'), "no 'mIoU' yet; it has loss"),
    Case('no metric', scalars('{"step": 1, "loss": 2}', metric=None), 'no None yet'),
    Case('empty', scalars(''), "no 'mIoU' yet; it has nothing"),
]


@pytest.mark.parametrize('case', [*OPTIONS, *TOOLS, *TABLES, *SCALARS], ids=str)
def test_is_refused_in_one_sentence(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    case.check(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {
        *('thing', 'table.py', 'results.json', 'runs', 'run', 'VOC2012'),
    }


@pytest.fixture(scope='module')
def toy() -> TagInferencer:
    return TagInferencer('excel_toy')


@pytest.fixture(scope='module')
def subject(toy) -> Subject:
    image = toy.encode(torch.randint(0, 256, (64, 64, 3), dtype=torch.uint8).numpy())
    return Subject(toy, image, ('boat',))


FIGURES = [
    (lambda toy, s: cam_figure([]), r'subjects is \[\]'),
    (lambda toy, s: cam_figure(s), 'subjects is'),
    (lambda toy, s: cam_figure([Subject(toy, s.image, ())]), 'none of the images shows a class'),
    (lambda toy, s: segmentation_figure([]), r'subjects is \[\]'),
    (lambda toy, s: attributes_figure([]), r'subjects is \[\]'),
    (lambda toy, s: attributes_figure([s], 0), 'count is 0'),
    (lambda toy, s: attributes_figure([s], 2.5), 'count is 2.5'),
    (lambda toy, s: attributes_figure([Subject(toy, s.image, ('a', 'b'), ('a', 'b'))]), "'a' is n"),
    (lambda toy, s: attention_figure([]), r'subjects is \[\]'),
    (lambda toy, s: attention_figure([s], []), r'points is \[\]'),
    (lambda toy, s: attention_figure([s], [(1, 2), (3, 4)]), 'must be a list of 1'),
    (lambda toy, s: attention_figure([s], [(64, 2)]), 'lies outside the image of 64x64'),
    (lambda toy, s: attention_figure([s], [(-1, 2)]), 'lies outside'),
    (lambda toy, s: attention_figure([s], [(float('nan'), 2)]), 'lies outside'),
    (lambda toy, s: attention_figure([Subject(toy, s.image, ())]), 'shows no class to look from'),
    (lambda toy, s: toy.correlations(s.image, replace(toy.settings, num_layers=9)), 'layers is 9'),
    (lambda toy, s: subjects_of_files(toy, [], [['boat']]), r'files is \[\]'),
    (lambda toy, s: subjects_of_files(toy, 'a.png', [['boat']]), "files is 'a.png'"),
    (lambda toy, s: subjects_of_files(toy, ['a.png'], []), r'tags is \[\]'),
    (lambda toy, s: subjects_of_files(toy, ['a', 'b', 'c'], [['a'], ['b']]), '3 images need 3'),
    (lambda toy, s: subjects_of_files(toy, ['no.png'], [['boat']]), 'no.png'),
    (lambda toy, s: subjects_of_dataset(toy, []), r'indices is \[\]'),
    (lambda toy, s: subjects_of_dataset(toy, [0]), 'VOC2012'),
    (lambda toy, s: next(each_subject(toy, 0)), 'most is 0'),
    (lambda toy, s: next(each_subject(toy, -1)), 'most is -1'),
]


@pytest.mark.parametrize(('act', 'says'), FIGURES, ids=[says for _, says in FIGURES])
def test_figures_refuse_in_one_sentence(act, says, toy, subject, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Case(says, lambda folder: act(toy, subject), says).check(tmp_path)


def test_names_with_dollars_are_drawn_as_they_are(toy, subject):
    words = ('$x', '$y_{$', 'a^b')
    cam_figure([Subject(toy, subject.image, words[:1], words)]).savefig(os.devnull, format='png')


def test_half_of_the_last_line_of_a_killed_run_is_left_out(tmp_path):
    scalars('{"step": 1, "mIoU": 2}', '{"step": 2, "mI')(tmp_path)
    assert read_scalars(tmp_path)['mIoU'] == {1: 2.0}


def test_an_interrupted_tool_exits_with_130_and_no_traceback(tmp_path, capsys):
    (tmp_path / 'config.py').write_text('raise KeyboardInterrupt')
    for name in ('train', 'inspect_text'):
        assert run_tool(name, tmp_path / 'config.py') == 130
        assert capsys.readouterr().err == 'Interrupted.\n'


@pytest.mark.parametrize('context', [bad_input_exits, bad_input_exits_while_working])
def test_a_closed_output_ends_a_tool_in_one_sentence(context, capsys):
    read, write = os.pipe()
    os.close(read)
    with open(write, 'w') as pipe, contextlib.redirect_stdout(pipe):
        with pytest.raises(SystemExit) as stop, context():
            print('a table')
    assert stop.value.code == 1
    assert re.fullmatch(r'error: [^\n]+\n', capsys.readouterr().err)


def test_refused_settings_are_not_written_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'results.json').write_text(json.dumps(dict(schema_version=0)))
    assert run_tool('ablate', TABLE, '--base', TOY, '--work-dir', tmp_path) == 2
    assert [path.name for path in tmp_path.iterdir()] == ['results.json']
