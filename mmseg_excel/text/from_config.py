"""The texts of a model, read from its config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..clip.towers import load_clip
from ..utils.bad_input import BadInput
from ..utils.checks import shown
from .inspection import TextReport, inspect_texts
from .vocabulary import get_vocabulary

#: Rooms that decide the texts, and a setting that each has.
_ROOMS = dict(text_head='vocabulary', backbone='model')


def inspect_config(config: Mapping) -> TextReport:
    """Report on the texts that a model with this config gets.

    Args:
        config: A config with an ``ExCEL`` model; its ``text_head.mode`` is not looked at.

    Raises:
        FileNotFoundError: If the CLIP weights or the description file are missing.
        ValueError: If the config holds no ExCEL model, or its settings are unusable.
    """
    model = config.get('model')
    rooms: list[Any] = [model.get(room) if isinstance(model, Mapping) else None for room in _ROOMS]
    for (room, setting), content in zip(_ROOMS.items(), rooms, strict=True):
        if not isinstance(content, Mapping) or setting not in content:
            raise BadInput(f'The config holds no ExCEL model: it has no model.{room}.{setting}.')
    head, backbone = rooms
    if head.get('bank') and head.get('mode', 'attributes') == 'attributes':
        raise BadInput(
            f'model.text_head.bank is {shown(head["bank"])}, which holds no sentences to inspect: '
            'set it to None to look at the descriptions.'
        )
    settings = ('num_attributes', 'keep_ratio', 'attribute_weight')
    return inspect_texts(
        load_clip(backbone['model'], backbone.get('pretrained', 'openai')).text_encoder(),
        get_vocabulary(head['vocabulary']),
        descriptions=head.get('descriptions'),
        **{key: head[key] for key in settings if key in head},
    )
