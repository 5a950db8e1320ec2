"""The texts of a model, read from its config."""

from __future__ import annotations

from collections.abc import Mapping

from mmengine.config import Config

from ..clip import load_clip
from ..utils.config_parts import check_parts
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
    if not isinstance(config, Config):
        config = Config(dict(config))
    check_parts(config, 'model.text_head.vocabulary', 'model.backbone.model')
    head, backbone = config.model.text_head, config.model.backbone
    settings = ('num_attributes', 'keep_ratio', 'attribute_weight')
    return inspect_texts(
        load_clip(backbone['model'], backbone.get('pretrained', 'openai')).text_encoder(),
        get_vocabulary(head['vocabulary']),
        descriptions=head.get('descriptions'),
        **{key: head[key] for key in settings if key in head},
    )
