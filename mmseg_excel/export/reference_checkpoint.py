"""Checkpoints of the published reference implementation as checkpoints of ours, and back.

The reference saves its whole model: what was trained, and CLIP under ``encoder.*``, parts of it
twice; all names may start with ``module.``. Ours hold what was trained, the class texts and
provenance; CLIP is checked against the one of the config and left out.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..clip.towers import load_clip
from ..models.trained_segmentor import TrainedSegmentor
from ..utils.atomic import write_atomically
from ..utils.bad_input import BadInput
from ..utils.checkpoints import State, check_tensors
from ..utils.checks import shown
from .reference_names import from_reference, to_reference

_CLIP = 'encoder.'
# The reference may have resized it to the size of its crops.
_POSITION = 'visual.positional_embedding'
# CLIP's weights travel in half precision.
_HALF = 1e-3


def from_reference_state(state: Mapping[str, Tensor], model: TrainedSegmentor) -> State:
    """Turn the reference's tensors into the state dict of a model, class texts included.

    Args:
        state: As ``read_tensors`` gives it.
        model: Built from the config of the same data set, its classes encoded. Not changed.

    Raises:
        BadInput: A tensor is unknown, missing, of another shape, or of another CLIP; names it.
    """
    model_state = model.state_dict()
    wanted = {name: to_reference(name) for name in model_state}
    trained = {name: state[name] for name in state if not name.startswith(_CLIP)}
    for name, tensor in trained.items():
        _check_trained(name, tensor, model_state)
    for name in filter(None, wanted.values()):
        if name not in trained:
            raise BadInput(f"Tensor '{name}' is missing: give a whole checkpoint of the reference.")
    _check_clip(state, model)
    return {
        name: trained[theirs].float() if theirs else model_state[name]
        for name, theirs in wanted.items()
    }


def to_reference_state(state: Mapping[str, Tensor]) -> State:
    """Turn our state dict into the reference's trained tensors, named as it saves them.

    CLIP is not among them: the reference loads it itself.

    Raises:
        BadInput: No tensor is a trained one of ours.
    """
    renamed = {to_reference(name): tensor for name, tensor in state.items()}
    renamed.pop(None, None)
    if not renamed:
        raise BadInput(
            'The checkpoint holds no trained tensor of ours, such as '
            "'decode_head.conv_seg.weight': give one that tools/train.py wrote."
        )
    return {f'module.{name}': tensor for name, tensor in renamed.items()}


def save_checkpoint(path: str | Path, content: dict) -> None:
    """Write a checkpoint, whole or not at all."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())


def _check_trained(name: str, tensor: Tensor, model_state: State) -> None:
    ours = from_reference(name)
    if ours not in model_state:
        raise BadInput(
            f'Tensor {shown(name)} is none of what the model of the config trains: use the config '
            'of its data set and CLIP.'
        )
    wanted = model_state[ours]
    # Any precision is converted.
    check_tensors(
        {name: tensor},
        {name: wanted.to(tensor.dtype) if tensor.is_floating_point() else wanted},
        whole=False,
    )


def _check_clip(state: Mapping[str, Tensor], model: TrainedSegmentor) -> None:
    """Refuse another CLIP than the config's; second copies under names of their own pass."""
    clip = load_clip(model.backbone.model, model.backbone.pretrained).state
    for key in (key for key in state if key.startswith(_CLIP)):
        name, tensor = key.removeprefix(_CLIP), state[key]
        if name not in clip or name == _POSITION:
            continue
        if tensor.shape != clip[name].shape or not torch.allclose(
            tensor.float(), clip[name], rtol=_HALF, atol=_HALF
        ):
            raise BadInput(
                f"Tensor '{key}' is not that of the CLIP of the config "
                f"('{model.backbone.model}', '{model.backbone.pretrained}'): set model.backbone "
                'to the CLIP the checkpoint was trained on.'
            )
