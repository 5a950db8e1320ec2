"""The model behind the page: the toy world's unless one is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from ..inference.inferencer import TagInferencer
from ..inference.loading import named_model, read_config
from ..text.class_texts import all_texts
from ..text.descriptions import load_descriptions
from ..text.vocabulary import get_vocabulary
from ..utils.config_parts import check_parts

TOY_CONFIG, PHOTO_CONFIG = 'excel_toy', 'excel_voc'
OTHER_METHODS = ('weclip', 'clip_es')


def load_model(
    config: str | Path | None = None,
    checkpoint: str | Path | None = None,
    model: str | None = None,
    pretrained: str | None = None,
    descriptions: str | Path | None = None,
    device: str | None = None,
) -> TagInferencer:
    """Build an inferencer from what a command line says.

    Args:
        config: Config file, or the name of a packaged one. Default: the toy world's; VOC's if CLIP
            weights are given.
        checkpoint: Of a model trained with this config. Default: None, no prediction.
        model: open_clip model name. Default: the config's.
        pretrained: CLIP's weights: an open_clip tag or a file. Default: the config's.
        descriptions: Description file. Without a checkpoint, the classes it describes become the
            model's. Default: the config's.
        device: Default: the GPU if there is one.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If one does not fit.
    """
    cfg = read_config(config or (PHOTO_CONFIG if model or pretrained else TOY_CONFIG))
    check_parts(cfg, 'model.backbone', 'model.text_head.vocabulary')
    for key, value in dict(model=model, pretrained=pretrained).items():
        if value is not None:
            cfg.model.backbone[key] = value
    if descriptions is not None:
        _describe(cfg, descriptions, keep_classes=checkpoint is not None)
    return TagInferencer(cfg, checkpoint, device)


def load_models(
    config: str | Path | None = None,
    checkpoint: str | Path | None = None,
    beside: Sequence[str] | None = None,
    model: str | None = None,
    pretrained: str | None = None,
    descriptions: str | Path | None = None,
    device: str | None = None,
) -> list[TagInferencer]:
    """Build the inferencers of the page's method menu.

    Args:
        config: Of the first one, see :func:`load_model`, as are the other arguments.
        checkpoint: Of the first one.
        beside: Further models, each ``CONFIG`` or ``CONFIG=CHECKPOINT``. Default: if no config is
            named either, WeCLIP and CLIP-ES, training-free, on the same CLIP.
    """
    first = load_model(config, checkpoint, model, pretrained, descriptions, device)
    if beside is None:
        world = 'voc' if model or pretrained else 'toy'
        beside = () if config or descriptions else [f'{name}_{world}' for name in OTHER_METHODS]
    pairs = [named_model(name) for name in beside]
    return [first, *(load_model(c, k, model, pretrained, device=device) for c, k in pairs)]


def _describe(cfg: Config, source: str | Path, keep_classes: bool) -> None:
    """Let a config's attributes come from a description file."""
    head = cfg.model.text_head
    head.update(descriptions=str(source), mode='attributes')
    described = load_descriptions(source)
    own = get_vocabulary(head.vocabulary)
    if keep_classes or set(described.sentences) == set(own.classes):
        return
    words = {word for name in described.sentences for word in name.lower().split()}
    known = dict(zip(own.classes, own.prompts, strict=True))
    head.vocabulary = dict(
        classes=list(described.sentences),
        prompts={name: known[name] for name in described.sentences if name in known},
        backgrounds=[name for name in own.backgrounds if name not in words],
    )
    head.num_attributes = min(head.num_attributes, len(all_texts(described)))
    if 'decode_head' in cfg.model:
        cfg.model.decode_head.num_classes = len(described.sentences) + 1
    # The page reads no data set, only what the config says of them.
    for purpose in ('train', 'val', 'test'):
        cfg[f'{purpose}_dataloader'].dataset.classes = list(described.sentences)
