"""The parts of a config that tools build: there, of the right shape, their numbers usable."""

from __future__ import annotations

from collections.abc import Iterator

from mmengine.config import Config

from .bad_input import BadInput
from .checks import check_choice, check_number, check_whole, shown
from .config_file import name_of

_MODEL = (
    'data_preprocessor backbone neck text_head adapter decode_head pseudo_labeler loss_diversity'
).split()
_LOADERS = [f'{split}_dataloader' for split in ('train', 'val', 'test', 'format_only')]
#: Parts that are dicts with a type: what MMEngine builds an object of.
_BUILT = (
    *('model', 'tta_model', 'optim_wrapper.optimizer', 'visualizer'),
    *(f'model.{part}' for part in _MODEL),
    *(f'{loader}.{part}' for loader in _LOADERS for part in ('dataset', 'sampler')),
)
_MAPPINGS = (
    *_LOADERS,
    *('train_cfg', 'val_cfg', 'test_cfg', 'optim_wrapper', 'default_hooks', 'randomness'),
    *('env_cfg', 'model.test_cfg', 'model.train_cfg'),
    *(f'{loader}.dataset.data_prefix' for loader in _LOADERS),
)
_PIPELINES = [f'{loader}.dataset.pipeline' for loader in _LOADERS]
_LISTS = (
    *('custom_hooks', 'param_scheduler', 'val_evaluator', 'test_evaluator', 'vis_backends'),
    *_PIPELINES,
)
# What works without a type: BaseModel builds its own preprocessor, MMEngine random sampling.
_TYPELESS = ('model.data_preprocessor',)
MOST_ITERATIONS = 10**9
#: Settings of MMEngine that it accepts whatever they are, or answers without a name.
_WHOLE = {
    'train_cfg.max_iters': f'[1, {MOST_ITERATIONS}]',
    'train_cfg.max_epochs': f'[1, {MOST_ITERATIONS}]',
    'train_cfg.val_interval': f'[1, {MOST_ITERATIONS}]',
    'train_cfg.val_begin': f'[0, {MOST_ITERATIONS}]',
    'randomness.seed': '[0, 4294967295]',
    'default_hooks.logger.interval': f'[1, {MOST_ITERATIONS}]',
    'default_hooks.checkpoint.interval': f'[-1, {MOST_ITERATIONS}]',
    'default_hooks.checkpoint.max_keep_ckpts': f'[-1, {MOST_ITERATIONS}]',
    'optim_wrapper.accumulative_counts': f'[1, {MOST_ITERATIONS}]',
    **{f'{loader}.batch_size': '[1, 65536]' for loader in _LOADERS},
    **{f'{loader}.num_workers': '[0, 1024]' for loader in _LOADERS},
}
_LEVELS = ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')
_NUMBERS = {'optim_wrapper.optimizer.lr': '[0, inf)'}
_MISSING = object()


def check_parts(cfg: Config, *needed: str) -> None:
    """Refuse a config that lacks a part, or in which a part has the wrong shape.

    Args:
        cfg: The config.
        needed: Dotted names of what the tool cannot do without.

    Raises:
        BadInput: Names the config, the part and what it must be.
    """
    for name in _MAPPINGS:
        _check_kind(cfg, name, dict, 'a dict')
    for name in _LISTS:
        _check_kind(cfg, name, (list, tuple, dict), 'a list of dicts with a type')
        for index, value in enumerate(_items(cfg, name)):
            _check_built(cfg, f'{name}.{index}', value)
    for name in (*_BUILT, *(f'default_hooks.{hook}' for hook in cfg.get('default_hooks') or ())):
        _check_built(cfg, name, _find(cfg, name))
    if (level := _find(cfg, 'log_level')) is not _MISSING:
        check_choice(f'{name_of(cfg)}: log_level', level, _LEVELS)
    for name in _PIPELINES:
        if _find(cfg, name) in ([], ()):
            raise BadInput(f'{name_of(cfg)}: {name} is empty, so nothing reads the images.')
    for name in needed:
        if _find(cfg, name) in (None, _MISSING):
            raise BadInput(f'{name_of(cfg)} does not set `{name}`, which this needs.')
    _check_numbers(cfg)


def _check_numbers(cfg: Config) -> None:
    for names, check in ((_WHOLE, check_whole), (_NUMBERS, check_number)):
        for name, interval in names.items():
            value = _find(cfg, name)
            # Without a batch size PyTorch's loaders make no batches.
            absent = value is _MISSING or (value is None and not name.endswith('batch_size'))
            if not absent:
                check(f'{name_of(cfg)}: {name}', value, interval)


def _check_kind(cfg: Config, name: str, kind: type | tuple[type, ...], words: str) -> None:
    value = _find(cfg, name)
    if value not in (None, _MISSING) and not isinstance(value, kind):
        raise BadInput(f'{name_of(cfg)}: {name} is {shown(value)}, but must be {words}.')


def _check_built(cfg: Config, name: str, value: object) -> None:
    if value in (None, _MISSING):
        return
    typed = isinstance(value, dict) and (
        name in _TYPELESS or isinstance(value.get('type'), str) or callable(value.get('type'))
    )
    if not typed:
        raise BadInput(
            f'{name_of(cfg)}: {name} is {shown(value)}, but must be a dict with a `type`.'
        )


def _items(cfg: Config, name: str) -> Iterator[object]:
    value = _find(cfg, name)
    if isinstance(value, list | tuple):
        yield from value


def _find(cfg: Config, name: str) -> object:
    value = cfg
    for part in name.split('.'):
        value = value.get(part, _MISSING) if isinstance(value, dict | Config) else _MISSING
    return value
