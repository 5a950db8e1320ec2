"""What a sweep has to run: each distinct setting once, whatever the number of tables it is in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from mmengine.config import Config

from ..clip.towers import model_config, weight_file
from ..text.descriptions import find_descriptions
from ..utils.plain import plain, sha256
from .table import COLUMNS, Row, Table

#: What of a config decides the result of a run.
_DECISIVE = dict(
    static=('model', 'data_preprocessor', 'val_dataloader'),
    train=(
        *('model', 'data_preprocessor', 'model_wrapper_cfg', 'train_dataloader', 'val_dataloader'),
        *('train_cfg', 'optim_wrapper', 'param_scheduler', 'auto_scale_lr', 'custom_hooks'),
    ),
)
# What of these does not: training draws the same whatever the number of workers.
_INDECISIVE = ('num_workers', 'persistent_workers')
#: List of the images whose pseudo labels are scored, beside that of the validation images.
TRAINING_SPLIT = 'train.txt'
_DRAWING_HOOK = 'PseudoLabelVisualizationHook'


@dataclass(frozen=True)
class Run:
    """One measurement of one setting.

    Args:
        kind: ``'static'``: training-free pseudo labels; ``'train'``: a whole training.
        base: Base config file.
        options: Overrides of it, by dotted name.
        seed: Of a training; None for what draws no random numbers.
        label: What the run is called in messages.
    """

    kind: str
    base: str
    options: Mapping[str, object] = field(hash=False)
    seed: int | None = None
    label: str = ''

    def config(self) -> Config:
        """The base config with the overrides, without drawing hooks: nobody watches a sweep.

        Raises:
            ValueError: It has no such setting; names it.
        """
        cfg = Config.fromfile(self.base)
        for name in self.options:
            _lookup(cfg, name)
        cfg.merge_from_dict(dict(self.options))
        cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook['type'] != _DRAWING_HOOK]
        return cfg

    @property
    def changes(self) -> dict[str, object]:
        """The overrides that change the base, sorted by name: the same for equal settings."""
        base = Config.fromfile(self.base)
        return {
            name: value
            for name, value in sorted(self.options.items())
            if _lookup(base, name) != value and name.split('.')[-1] not in _INDECISIVE
        }

    @property
    def key(self) -> str:
        """Name of the run: equal for runs with equal results."""
        seed = '' if self.seed is None else f'-seed{self.seed}'
        return f'{self.kind}-{self.config_hash[:12]}{seed}'

    def check_unchanged(self, key: str) -> None:
        """Refuse to run if files changed since the key was made of them.

        Raises:
            RuntimeError: The config, or a file that it names, is another.
        """
        _hash.cache_clear()
        _file_hash.cache_clear()
        if self.key != key:
            raise RuntimeError(
                f"'{self.base}' or a file that it names changed while the sweep ran: start it "
                'again.'
            )

    @property
    def config_hash(self) -> str:
        """SHA-256 of all that decides the result: settings, CLIP, descriptions, lists, tags."""
        return _hash(self.kind, self.base, json.dumps(dict(self.options), sort_keys=True))


def runs_of(
    tables: Sequence[Table], base: str, options: Mapping[str, object], seeds: Sequence[int]
) -> dict[str, Run]:
    """The runs that fill tables, by key; those that need no training come first.

    Args:
        tables: Tables.
        base: Base config file.
        options: Overrides of the base for all rows.
        seeds: Of every training.
    """
    runs = [
        run
        for table in tables
        for column in table.columns
        for row in table.rows
        for run in runs_of_cell(row, column, base, options, seeds)
    ]
    return {run.key: run for run in sorted(runs, key=lambda run: run.kind)}


def runs_of_cell(
    row: Row, column: str, base: str, options: Mapping[str, object], seeds: Sequence[int]
) -> list[Run]:
    """The runs whose scores one cell of a table is the mean of; none of what trains nothing."""
    kind, base = COLUMNS[column].kind, row.base(base)
    if kind == 'train' and trains_nothing(base):
        return []
    label = ', '.join(f'{name}={value}' for name, value in row.options.items()) or 'as the base'
    # What is training-free draws no random numbers.
    return [
        Run(kind, base, {**options, **row.options}, seed, label)
        for seed in (seeds if kind == 'train' else [None])
    ]


@cache
def trains_nothing(base: str) -> bool:
    """Whether a config is of a training-free method."""
    return 'decode_head' not in Config.fromfile(base).model


@cache
def _hash(kind: str, base: str, options: str) -> str:
    cfg = Run(kind, base, json.loads(options)).config()
    settings = {key: cfg.to_dict().get(key) for key in _DECISIVE[kind]}
    settings['clip'] = model_config(cfg.model.backbone.model)
    settings['files'] = [_file_hash(path) for path in _files(cfg, kind)]
    return sha256(_decisive(plain(settings)))


def _files(cfg: Config, kind: str) -> Iterator[Path]:
    """Files whose content decides the result, as far as they are there."""
    yield weight_file(cfg.model.backbone.model, cfg.model.backbone.pretrained)
    if cfg.model.text_head.get('descriptions') is not None:
        yield find_descriptions(cfg.model.text_head.descriptions)
    if kind == 'train' and cfg.get('load_from'):
        yield Path(cfg.load_from)
    for loader in (cfg.get('train_dataloader') if kind == 'train' else None, cfg.val_dataloader):
        dataset = (loader or {}).get('dataset', {})
        tags = (dataset.get('tag_source') or {}).get('file')
        lists = Path(dataset.get('ann_file') or 'no list')
        for name in (lists, lists.with_name(TRAINING_SPLIT), tags or ''):
            yield Path(dataset.get('data_root') or '') / name


def _decisive(value: object) -> object:
    if isinstance(value, dict):
        return {k: _decisive(v) for k, v in value.items() if k not in _INDECISIVE}
    if isinstance(value, list | tuple):
        return [_decisive(item) for item in value]
    return value


@cache
def _file_hash(path: Path) -> str | None:
    if not path.is_file():
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _lookup(cfg: Config, name: str) -> object:
    """A setting by dotted name; numbers are indices of lists."""
    value = cfg
    for part in name.split('.'):
        try:
            value = value[int(part)] if isinstance(value, list | tuple) else value[part]
        except (KeyError, IndexError, TypeError, ValueError):
            raise ValueError(f"'{cfg.filename}' has no setting '{name}' to override.") from None
    return value
