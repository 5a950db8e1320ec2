"""Do the rooms of a segmentor fit each other? Asked when it is built, before anything runs."""

from __future__ import annotations

from torch import nn

from ..utils.bad_input import BadInput


def check_texts(model: nn.Module) -> None:
    """Refuse class texts of another width than CLIP's.

    Raises:
        BadInput: Names the setting, its value and the one that fits; as all of these.
    """
    clip = model.backbone
    _equal(
        *(f'{_name(model.text_head)}.in_channels', model.text_head.in_channels, clip.embed_dim),
        f'CLIP {clip.model!r} embeds texts in {clip.embed_dim} dimensions',
    )


def check_attention(model: nn.Module, setting: str, layers: int) -> None:
    """Refuse more layers of attention than CLIP has."""
    _at_most(f'{_name(model)}.{setting}', layers, model.backbone.num_layers, _blocks(model))


def check_neck(model: nn.Module) -> None:
    """Refuse a calibration of more blocks than CLIP has."""
    for setting in ('num_layers', 'num_attention'):
        value = getattr(model.neck, setting)
        _at_most(f'SVCNeck.{setting}', value, model.backbone.num_layers, _blocks(model))


def check_windows(model: nn.Module) -> None:
    """Refuse sliding windows that cut patches, for methods that see whole ones alone."""
    patch = model.backbone.patch_size
    for side in model.test_cfg.get('crop_size', ()):
        if side % patch:
            raise BadInput(
                f'model.test_cfg.crop_size has a side of {side} pixels, but {model.NAME} sees '
                f'whole patches: choose multiples of {patch}.'
            )


def check_trained_rooms(model: nn.Module) -> None:
    """Refuse an adapter and a decoder that do not fit CLIP, each other and the classes."""
    clip, adapter, num_labels = model.backbone, model.adapter, model.num_classes
    name = _name(adapter)
    _equal(f'{name}.num_layers', len(adapter.layers), model.num_adapter_layers, _blocks(model))
    _equal(
        *(f'{name}.in_channels', adapter.in_channels, clip.width),
        f'the tokens of CLIP {clip.model!r} are {clip.width} wide',
    )
    _equal(
        *('TransformerHead.in_channels', model.decode_head.in_channels, adapter.channels),
        f'{name}.channels is {adapter.channels}',
    )
    _equal(
        *('decode_head.num_classes', model.decode_head.num_classes, num_labels),
        f'the text head has {num_labels - 1} classes and a background',
    )


def _blocks(model: nn.Module) -> str:
    return f'CLIP {model.backbone.model!r} has {model.backbone.num_layers} blocks'


def _name(room: nn.Module) -> str:
    return type(room).__name__


def _at_most(setting: str, value: int, most: int, because: str) -> None:
    if value > most:
        raise BadInput(f'{setting} is {value}, but {because}: set it to at most {most}.')


def _equal(setting: str, value: int, wanted: int, because: str) -> None:
    if value != wanted:
        raise BadInput(f'{setting} is {value}, but {because}: set it to {wanted}.')
