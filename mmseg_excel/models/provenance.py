"""Checkpoints that know what they belong to, and are loaded whole or refused."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..utils.bad_input import BadInput
from ..utils.checkpoints import check_tensors
from ..utils.checks import shown
from ..utils.class_lists import first_different_name
from ..utils.records import first_difference, told
from .attribute_text_head import ORIGIN

PROVENANCE_KEY = 'provenance'
_LONGEST_PROVENANCE = 10**6


class WholeCheckpoints(nn.Module):
    """A model whose state dict carries its provenance and fits as a whole."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._loads_parts = False
        self._register_state_dict_hook(_save_provenance)

    @abstractmethod
    def provenance(self) -> dict:
        """What a checkpoint of this model belongs to: ``clip`` and ``classes``, at least."""

    def load_state_dict(self, state_dict: Mapping, strict: bool = True, assign: bool = False):
        """Load a checkpoint; as in PyTorch, only ``strict=False`` is content with a part of it."""
        self._loads_parts = not strict
        try:
            return super().load_state_dict(state_dict, strict, assign)
        finally:
            self._loads_parts = False

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        """Refuse a checkpoint of another model, or one that is not whole.

        Here rather than above, because MMEngine and wrappers load with functions of their own,
        which at most warn.
        """
        self.check_checkpoint(
            {
                name.removeprefix(prefix): tensor
                for name, tensor in state_dict.items()
                if name.startswith(prefix)
            }
        )
        stored = state_dict.pop(prefix + PROVENANCE_KEY, None)
        if f'{prefix}text_head.class_texts' in state_dict:
            self.text_head.forget_origin()
            self.text_head.origin |= {} if stored is None else _text_origin(stored)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def check_checkpoint(self, state: Mapping[str, Tensor]) -> None:
        """Refuse the tensors of a checkpoint that do not belong to this model.

        Raises:
            BadInput: Another CLIP, other classes, or a tensor that is missing, unknown, misshapen,
                of another kind of number, or holds NaN or infinity; names it.
        """
        if PROVENANCE_KEY in state:
            check_provenance(_decoded(state[PROVENANCE_KEY]), self.provenance())
        given, wanted = (
            {name: tensor for name, tensor in tensors.items() if name != PROVENANCE_KEY}
            for tensors in (state, self.state_dict())
        )
        check_tensors(given, wanted, whole=not self._loads_parts)
        if PROVENANCE_KEY not in state and not self._loads_parts:
            raise BadInput(
                f"The checkpoint has no '{PROVENANCE_KEY}', which says which CLIP and classes it "
                'belongs to: give a file that tools/train.py or tools/convert_checkpoint.py wrote.'
            )


def check_provenance(stored: dict, current: dict) -> None:
    """Compare what a checkpoint was trained with and what this model has.

    Raises:
        BadInput: If CLIP's weights or configuration or the class list differ.
    """
    clip, own_clip = ({**of['clip'], 'model': None} for of in (stored, current))
    difference = first_difference(clip, own_clip)
    if difference:
        raise BadInput(
            f'The checkpoint was trained on the CLIP {_clip_name(stored)}, but this model has '
            f'{_clip_name(current)}; {_differing_part(difference)} differ: set model.backbone to '
            'the CLIP it was trained on.'
        )
    other_name = first_different_name(stored['classes'], current['classes'])
    if other_name:
        raise BadInput(
            f'The checkpoint knows the {_class_names(stored)}, but this model has '
            f'{_class_names(current)}: {other_name}. Use the config it was trained with.'
        )


def _differing_part(difference: tuple[str, object, object]) -> str:
    """Whether weights or configurations differ, and the setting that does."""
    name = difference[0]
    if name == 'sha256':
        return 'their weights'
    return f'their configurations ({told(difference)})'


def _clip_name(provenance: dict) -> str:
    name, sha256 = provenance['clip']['model'], provenance['clip']['sha256']
    return f'{_short(name)} (weights sha256 {_short(sha256[:12])})'


def _class_names(provenance: dict) -> str:
    names = provenance['classes']
    return f'{len(names)} classes {_short(", ".join(names), most=150)}'


def _text_origin(stored: Tensor) -> dict[str, str]:
    """What the stored class texts were made of, which stays theirs."""
    texts = _decoded(stored).get('texts')
    known = texts.items() if isinstance(texts, dict) else ()
    return {name: value for name, value in known if name in ORIGIN and isinstance(value, str)}


def _short(text: str, most: int = 80) -> str:
    """A text of a file, which may be a hostile one, as messages show it."""
    return shown(text, most).strip('\'"')


def _save_provenance(
    model: WholeCheckpoints, state_dict: dict, prefix: str, metadata: dict
) -> None:
    """State dict hook: provenance travels as UTF-8 bytes, so `weights_only` loading reads it."""
    text = json.dumps(model.provenance(), sort_keys=True)
    state_dict[prefix + PROVENANCE_KEY] = torch.frombuffer(
        bytearray(text, 'utf-8'), dtype=torch.uint8
    )


def _decoded(stored: Tensor) -> dict:
    try:
        if stored.dtype != torch.uint8 or stored.dim() != 1 or len(stored) > _LONGEST_PROVENANCE:
            raise ValueError
        provenance = json.loads(bytes(stored.cpu().tolist()).decode('utf-8'))
        clip, classes = provenance['clip'], provenance['classes']
        if not all(isinstance(text, str) for text in (clip['model'], clip['sha256'], *classes)):
            raise ValueError
        return provenance
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadInput(
            f"The checkpoint's '{PROVENANCE_KEY}', its CLIP and its classes, cannot be read: give "
            'a file that tools/train.py wrote.'
        ) from None
