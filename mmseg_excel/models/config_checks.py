"""Checks of what mmseg reads from a segmentor's config without checking it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from ..utils.bad_input import BadInput
from ..utils.checks import (
    check_choice,
    check_flag,
    check_keys,
    check_number,
    check_sequence,
    check_whole,
    shown,
)
from .input_checks import LONGEST_SIDE

SIDE = f'[1, {LONGEST_SIDE}]'
WINDOW = ('crop_size', 'stride')


def check_test_cfg(test_cfg: Mapping, sources: Sequence[str]) -> None:
    """Refuse settings that cannot be, or that nothing would read.

    Raises:
        BadInput: Names the setting and the way out.
    """
    check_keys('model.test_cfg', test_cfg, ('source', 'mode', *WINDOW))
    check_choice('model.test_cfg.source', test_cfg.get('source', sources[0]), sources)
    check_choice('model.test_cfg.mode', test_cfg.get('mode', 'whole'), ('whole', 'slide'))
    if test_cfg.get('mode') == 'slide':
        _check_windows(test_cfg)
        return
    for name in WINDOW:
        if name in test_cfg:
            raise BadInput(
                f"model.test_cfg.{name} is set, but images are taken whole: set mode='slide', or "
                'leave it out.'
            )


def _check_windows(test_cfg: Mapping) -> None:
    for name in WINDOW:
        if name not in test_cfg:
            raise BadInput(
                f"model.test_cfg.mode is 'slide', which needs {name}, (height, width) in pixels: "
                "set it, or set mode='whole'."
            )
        check_sequence(f'model.test_cfg.{name}', test_cfg[name], length=2)
        for side in test_cfg[name]:
            check_whole(f'model.test_cfg.{name}', side, SIDE)
    for stride, crop in zip(test_cfg['stride'], test_cfg['crop_size'], strict=True):
        if stride > crop:
            raise BadInput(
                f'model.test_cfg.stride is {shown(test_cfg["stride"])}, which leaves gaps between '
                f'windows of {shown(test_cfg["crop_size"])} pixels: set it to at most that.'
            )


def check_train_cfg(train_cfg: Mapping | None) -> None:
    """Refuse settings that nobody would read.

    Raises:
        BadInput: There are any.
    """
    if train_cfg is not None and not (isinstance(train_cfg, Mapping) and not train_cfg):
        raise BadInput(
            f'model.train_cfg is {shown(train_cfg)}, but nothing reads it: leave it out.'
        )


def check_pretrained(pretrained: None) -> None:
    """Refuse weights where mmseg's own models expect them.

    Raises:
        BadInput: There are any.
    """
    if pretrained is not None:
        raise BadInput(
            f'model.pretrained is {shown(pretrained)}, but nothing reads it: the weights of CLIP '
            'are model.backbone.pretrained, those of a checkpoint load_from.'
        )


def check_preprocessor(config: Mapping | nn.Module) -> None:
    """Check the settings of mmseg's ``SegDataPreProcessor``, which itself checks none.

    Raises:
        BadInput: Names setting, value and range.
    """
    if isinstance(config, nn.Module):
        return
    name = 'model.data_preprocessor'
    if not isinstance(config, Mapping) or not config.get('type'):
        raise BadInput(
            f'{name} is {shown(config)}, but must be a dict with a type, mean and std: CLIP sees '
            'normalised images.'
        )
    _check_statistics(f'{name}.mean', config.get('mean'), '[0, 255]')
    _check_statistics(f'{name}.std', config.get('std'), '[0.01, 1e6]')
    _check_padding(name, config)
    if config.get('test_cfg') is not None:
        check_keys(f'{name}.test_cfg', config['test_cfg'], ('size', 'size_divisor'))
        _check_padding(f'{name}.test_cfg', config['test_cfg'])
    check_number(f'{name}.pad_val', config.get('pad_val', 0), '[-255, 255]')
    check_number(f'{name}.seg_pad_val', config.get('seg_pad_val', 255), '[0, 255]')
    for flag in ('bgr_to_rgb', 'rgb_to_bgr'):
        check_flag(f'{name}.{flag}', config.get(flag, False))


def _check_statistics(setting: str, value: Any, interval: str) -> None:
    check_sequence(setting, value, length=3)
    for number in value:
        check_number(setting, number, interval)


def _check_padding(name: str, config: Mapping) -> None:
    if config.get('size') is not None:
        check_sequence(f'{name}.size', config['size'], length=2)
        for side in config['size']:
            check_whole(f'{name}.size', side, SIDE)
    if config.get('size_divisor') is not None:
        check_whole(f'{name}.size_divisor', config['size_divisor'], SIDE)
        if config.get('size') is not None:
            raise BadInput(f'{name} has a size and a size_divisor: give one of them.')
