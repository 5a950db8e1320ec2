"""Configs that cannot be used: unreadable, of the wrong shape, with settings that nobody reads."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from mmseg.utils import register_all_modules

from mmseg_excel.app.model import load_model
from mmseg_excel.inference.inferencer import TagInferencer
from mmseg_excel.inference.loading import build_model, read_config
from mmseg_excel.text.from_config import inspect_config
from mmseg_excel.utils.config_file import read_config_file, read_settings
from mmseg_excel.utils.config_options import override
from mmseg_excel.utils.config_parts import check_parts
from mmseg_excel.utils.determinism import set_randomness

from .case import Case

CONFIGS = Path(__file__).parents[2] / 'configs'
TOY = CONFIGS / 'excel_toy.py'
PSEUDO = CONFIGS / 'deeplabv3plus_voc_pseudo.py'
TRAINING = ('model', 'train_dataloader.dataset', 'train_cfg', 'optim_wrapper.optimizer')


def reading(content: str | bytes, name: str = 'bad.py') -> Callable[[Path], object]:
    """Write a config and read it."""

    def act(folder: Path) -> object:
        content_bytes = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(content_bytes)
        return read_config_file(folder / name)

    return act


def overriding(name: str, value: object = 1, config: Path = TOY) -> Callable[[Path], object]:
    """Read a shipped config with one setting overridden."""
    return lambda folder: read_settings(config, {name: value})


def training(**options: object) -> Callable[[Path], object]:
    """Check the parts of the toy config as training does; double underscores are dots."""

    def act(folder: Path) -> object:
        cfg = read_config_file(TOY)
        cfg.merge_from_dict({name.replace('__', '.'): value for name, value in options.items()})
        return check_parts(cfg, *TRAINING)

    return act


def building(**options: object) -> Callable[[Path], object]:
    """Build the toy model with settings changed behind the back of the checks of names."""

    def act(folder: Path) -> object:
        cfg = read_config_file(TOY)
        cfg.merge_from_dict({name.replace('__', '.'): value for name, value in options.items()})
        return build_model(cfg)

    return act


def pipe(folder: Path) -> object:
    os.mkfifo(folder / 'pipe.py')
    return read_config_file(folder / 'pipe.py')


FILES = [
    Case('no such file', lambda f: read_config_file(f / 'no.py'), r"no config '.*no\.py'"),
    Case('no such package config', lambda f: read_config('excel_vok'), 'packaged ones.*excel_voc'),
    Case('no such file for an inferencer', lambda f: TagInferencer(f / 'no.py'), r'no\.py'),
    Case('a folder', read_config_file, 'is a folder, not a config'),
    Case('a pipe', pipe, 'a device or a pipe, not a config'),
    Case('a device', lambda f: read_config_file('/dev/zero'), 'a device or a pipe'),
    *(
        Case(f'{value!r} as file', lambda f, v=value: read_config_file(v), 'name of its file')
        for value in (None, 3, '', b'a.py', 'a\0.py', ['a.py'])
    ),
    Case('another suffix', reading('model = dict()', 'bad.txt'), r'must end in \.py, \.json'),
    Case('no suffix', reading('model = dict()', 'bad'), r'must end in \.py'),
    Case('empty', reading(''), 'is empty: a config sets'),
    Case('blanks', reading('\n \n'), 'is empty'),
    Case('UTF-16', reading('a = 1'.encode('utf-16')), 'is not UTF-8 text'),
    Case('an image', reading(b'\xff\xd8\xff\xe0\x00\x10JFIF'), 'is not UTF-8 text'),
    Case('zeros', reading('a = 1\0'), 'is not py'),
    Case('a syntax error', reading('a = 1\nb = = 2\n'), r"bad\.py', line 2 is not py"),
    Case('an open bracket', reading('model = dict(\n'), r'line 1 is not py.*never closed'),
    Case('an unknown name', reading('a = 1\nb = c\n'), r"bad\.py', line 2: NameError: name 'c'"),
    Case('a division by zero', reading('a = 1 / 0'), r"bad\.py', line 1: ZeroDivisionError"),
    Case('an exit', reading('exit(3)'), r"bad\.py', line 1: SystemExit: 3"),
    Case('a package that is missing', reading('import nopackage\na = nopackage.x'), 'nopackage'),
    Case(
        'a module that is missing',
        reading('from nopackage.models import Net\nmodel = dict(type=Net)'),
        r"bad\.py'.*nopackage",
    ),
    Case(
        'a class that is missing',
        reading('from mmseg_excel.models import NoNet\nmodel = dict(type=NoNet)'),
        r"bad\.py'.*NoNet",
    ),
    Case('custom imports', reading("custom_imports = dict(imports=['nopackage'])"), 'nopackage'),
    Case('a base that is missing', reading("_base_ = './no.py'"), r"bad\.py'.*no\.py"),
    Case(
        'a lazy base that is missing',
        reading('from mmengine.config import read_base\nwith read_base():\n    from .no import *'),
        r"bad\.py'.*no\.py",
    ),
    Case('a reserved name', reading("filename = 'x'"), 'filename is reserved'),
    Case('broken JSON', reading('{"model": ', 'bad.json'), r"bad\.json', line 1 is not json"),
    Case('JSON that is a list', reading('[1, 2]', 'bad.json'), r'holds \[1, 2\], but a config'),
    Case('deep JSON', reading('[' * 100_000, 'bad.json'), 'is not json: RecursionError'),
    Case('broken YAML', reading('model: [1', 'bad.yaml'), r"bad\.yaml' is not yaml"),
    Case('YAML that is a text', reading('hello', 'bad.yml'), "holds 'hello', but a config"),
    Case(
        'YAML that runs a program',
        reading('a: !!python/object/apply:os.system ["touch hacked"]', 'bad.yaml'),
        'is not yaml: ConstructorError',
    ),
    Case(
        'YAML that fills the memory',
        reading('a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]', 'bad.yaml'),
        r'aliases \(\*name\) are not read',
    ),
]

NAMES = [
    Case(f'--cfg-options {name}', overriding(name), f"no setting '{name}'.*{hint}")
    for name, hint in [
        ('modl', 'it has .*model'),
        ('model.nek.num_layers', 'model has .*neck'),
        ('model.neck.foo', 'model.neck has init_cfg, mode, num_attention, num_layers'),
        ('model.neck.num_layers.x', 'num_layers is 5, which has no settings'),
        ('model.text_head.description', 'descriptions'),
        ('model.adapter.chanels', 'channels'),
        ('model.pseudo_labeler.treshold', 'box_threshold'),
        ('model.', 'model has'),
        ('.model', 'it has'),
        ('model..neck', 'model has'),
        ('train_dataloader.batch_sise', 'batch_size'),
        ('train_dataloader.dataset.data_rot', 'data_root'),
        ('train_dataloader.dataset.data_prefix.image', 'img_path, seg_map_path'),
        ('randomness.sed', 'deterministic.*seed'),
        ('optim_wrapper.optimizer.learning_rate', 'lr'),
        ('custom_hooks.0.dynamic_form', 'dynamic_from'),
        ('custom_hooks.9.dynamic_from', 'a list of 4'),
        ('param_scheduler.1.power', 'a list of 1'),
        ('param_scheduler.-1.power', 'a list of 1'),
        ('param_scheduler.power', 'a list of 1'),
        ('train_dataloader.dataset.pipeline.7.type', 'a list of 7'),
        ('default_hooks.chekpoint.interval', 'checkpoint'),
        ('format_only_dataloader.batch_size', 'it has'),
    ]
]
NAMES += [
    Case('an override of both', lambda f: override(read_config_file(TOY), {
        'model.neck': None, 'model.neck.num_layers': 3}), 'cannot be set together'),
    Case('a model of others', overriding('model.text_head.mode', 'global', PSEUDO), 'text_head'),
]  # fmt: skip

SHAPES = [
    Case('no model', training(model=None), 'does not set `model`'),
    Case('no loader', training(train_dataloader=None), 'not set `train_dataloader.dataset`'),
    Case('no schedule', training(train_cfg=None), 'not set `train_cfg`'),
    Case('no pipeline', training(train_dataloader__dataset__pipeline=[]), 'pipeline is empty'),
    Case('no optimizer', training(optim_wrapper=None), 'not set `optim_wrapper.optimizer`'),
    *(
        Case(f'{name} = {value!r}', training(**{name: value}), 'must be a (dict|list).*type|a dict')
        for name, value in [
            ('model', 3),
            ('model', []),
            ('model__type', None),
            ('model__type', 3),
            ('model__neck', 3),
            ('model__backbone', 'ViT'),
            ('model__text_head', ['a']),
            ('train_dataloader', 'x'),
            ('train_dataloader__dataset', 'voc'),
            ('train_dataloader__sampler', 3),
            ('train_dataloader__dataset__pipeline', 'x'),
            ('train_dataloader__dataset__pipeline', ['LoadImageFromFile']),
            ('train_dataloader__dataset__data_prefix', 'x'),
            ('param_scheduler', 'x'),
            ('param_scheduler', [3]),
            ('custom_hooks', [dict(interval=3)]),
            ('default_hooks', 3),
            ('default_hooks__timer', 3),
            ('val_evaluator', 'x'),
            ('randomness', 3),
            ('env_cfg', 3),
            ('train_cfg', 'x'),
            ('visualizer', 'x'),
        ]
    ),
    *(
        Case(
            f'{name} = {value!r}',
            training(**{name: value}),
            rf'{name.replace("__", ".")} is {value!r}, but must be',
        )
        for name, value in [
            ('train_cfg__max_iters', 0),
            ('train_cfg__max_iters', -1),
            ('train_cfg__max_iters', 1.5),
            ('train_cfg__max_iters', 'many'),
            ('train_cfg__max_iters', True),
            ('train_cfg__val_interval', 0),
            ('train_dataloader__batch_size', 0),
            ('train_dataloader__batch_size', 'four'),
            ('train_dataloader__num_workers', -1),
            ('val_dataloader__num_workers', 10**6),
            ('randomness__seed', -1),
            ('randomness__seed', 10**30),
            ('optim_wrapper__optimizer__lr', float('nan')),
            ('optim_wrapper__optimizer__lr', float('inf')),
            ('optim_wrapper__optimizer__lr', -1),
            ('optim_wrapper__optimizer__lr', 'x'),
            ('default_hooks__logger__interval', 0),
            ('default_hooks__checkpoint__interval', 'x'),
            ('log_level', 'LOUD'),
        ]
    ),
    *(
        Case(f'seed {seed!r}', lambda f, s=seed: set_randomness(read_config_file(TOY), s), 'seed')
        for seed in (-1, 1.5, '0', 2**32, float('nan'))
    ),
    Case('deterministic', lambda f: set_randomness(read_config_file(TOY), 0, 'yes'), 'determinis'),
]

BUILDING = [
    Case('an unknown model', building(model__type='Nope'), "type.*'Nope'"),
    Case('an unknown room', building(model__neck__type='Nope'), "type.*'Nope'"),
    Case('an unknown argument', building(model__neck__foo=3), "(no setting|argument) 'foo'"),
    Case('an argument that lacks', building(model__text_head={'_delete_': True, 'type':
         'AttributeTextHead'}), "'vocabulary'"),
    Case('no backbone', building(model__backbone=None), '`model.backbone`'),
    Case('a preprocessor', building(model__data_preprocessor__mean=3), 'mean|DataPreProcessor'),
    Case('another segmentor', lambda f: build_model(read_config_file(PSEUDO)), 'text_head'),
    Case('another segmentor to infer with', lambda f: TagInferencer(PSEUDO), 'text_head'),
    Case('no test data', lambda f: TagInferencer(read_settings(TOY, dict(
        test_dataloader=None))), 'test_dataloader'),
    Case('texts of another segmentor', lambda f: inspect_config(read_config_file(PSEUDO)), 'text_'),
    Case('another segmentor for the page', lambda f: load_model(PSEUDO, model='ViT-B-32'), 'text_'),
    Case('texts of an empty config', lambda f: inspect_config({}), 'model.text_head'),
    *(
        Case(f'device {device!r}', lambda f, d=device: TagInferencer(TOY, device=d), 'no device')
        for device in ('tpu', 'cuda:99', '', 3)
    ),
]  # fmt: skip


@pytest.fixture(scope='module', autouse=True)
def registered():
    register_all_modules(init_default_scope=True)


@pytest.mark.parametrize('case', [*FILES, *NAMES, *SHAPES, *BUILDING], ids=str)
def test_is_refused_in_one_sentence(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    case.check(tmp_path)
    assert not (tmp_path / 'hacked').exists()


@pytest.mark.parametrize(
    'name',
    [
        'model.pseudo_labeler.pixel_adaptive.iterations',
        'model.test_cfg.source',
        'randomness.deterministic',
        'train_dataloader.prefetch_factor',
        'train_dataloader.dataset.indices',
        'train_dataloader.dataset.data_prefix.seg_map_path',
        'default_hooks.checkpoint.save_best',
        'optim_wrapper.clip_grad.max_norm',
        'custom_hooks.0.dynamic_from',
        'compile',
        'auto_scale_lr.base_batch_size',
    ],
)
def test_settings_that_somebody_reads_may_be_new(name):
    cfg = read_settings(TOY, {name: 1})
    for part in name.split('.'):
        cfg = cfg[int(part)] if part.isdigit() else cfg[part]
    assert cfg == 1


def test_the_settings_of_a_new_type_are_its_own():
    options = {'optim_wrapper.loss_scale': 512.0, 'optim_wrapper.type': 'AmpOptimWrapper'}
    assert read_settings(TOY, options).optim_wrapper.loss_scale == 512.0
