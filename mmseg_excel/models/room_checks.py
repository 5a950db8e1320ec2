"""Do the rooms of a segmentor fit each other? Asked when it is built, before anything runs."""

from __future__ import annotations

from torch import nn

from ..utils.bad_input import BadInput


def check_rooms(model: nn.Module) -> None:
    """Refuse a segmentor whose rooms do not fit its CLIP and each other.

    Raises:
        BadInput: Names the setting, its value and the one that fits.
    """
    clip, num_labels = model.backbone, model.text_head.num_foreground + 1
    blocks = f'CLIP {clip.model!r} has {clip.num_layers} blocks'
    _at_most('SVCNeck.num_layers', model.neck.num_layers, clip.num_layers, blocks)
    _at_most('SVCNeck.num_attention', model.neck.num_attention, clip.num_layers, blocks)
    _equal('LVCAdapter.num_layers', len(model.adapter.layers), clip.num_layers, blocks)
    _equal(
        *('LVCAdapter.in_channels', model.adapter.in_channels, clip.width),
        f'the tokens of CLIP {clip.model!r} are {clip.width} wide',
    )
    _equal(
        *('AttributeTextHead.in_channels', model.text_head.in_channels, clip.embed_dim),
        f'CLIP {clip.model!r} embeds texts in {clip.embed_dim} dimensions',
    )
    _equal(
        *('TransformerHead.in_channels', model.decode_head.in_channels, model.adapter.channels),
        f'LVCAdapter.channels is {model.adapter.channels}',
    )
    _equal(
        *('decode_head.num_classes', model.decode_head.num_classes, num_labels),
        f'the text head has {num_labels - 1} classes and a background',
    )


def _at_most(setting: str, value: int, most: int, because: str) -> None:
    if value > most:
        raise BadInput(f'{setting} is {value}, but {because}: set it to at most {most}.')


def _equal(setting: str, value: int, wanted: int, because: str) -> None:
    if value != wanted:
        raise BadInput(f'{setting} is {value}, but {because}: set it to {wanted}.')
