"""The texts of a model, read from its config."""

from __future__ import annotations

from collections.abc import Mapping

from ..clip import load_clip
from .inspection import TextReport, inspect_texts
from .vocabulary import get_vocabulary


def inspect_config(config: Mapping) -> TextReport:
    """Report on the texts that a model with this config gets.

    Args:
        config: A config with an ``ExCEL`` model; its ``text_head.mode`` is not looked at.

    Raises:
        FileNotFoundError: If the CLIP weights or the description file are missing.
        ValueError: If the config holds no ExCEL model, or its settings are unusable.
    """
    model = config.get('model', {})
    if 'text_head' not in model:
        raise ValueError('The config holds no ExCEL model: it has no model.text_head.')
    head, backbone = model['text_head'], model['backbone']
    settings = ('num_attributes', 'keep_ratio', 'attribute_weight')
    return inspect_texts(
        load_clip(backbone['model'], backbone['pretrained']).text_encoder(),
        get_vocabulary(head['vocabulary']),
        descriptions=head.get('descriptions') or '',
        **{key: head[key] for key in settings if key in head},
    )
