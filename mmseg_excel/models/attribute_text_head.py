"""AttributeTextHead: class texts and the patch-text maps they give."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import torch
from mmseg.registry import MODELS
from torch import Tensor

from ..text.class_texts import MODES, all_texts, build_class_texts, read_knowledge
from ..text.descriptions import Descriptions
from ..text.vocabulary import Vocabulary, get_vocabulary
from ..utils.bad_input import BadInput
from ..utils.checks import check_choice, check_number, check_text, check_whole
from ..utils.plain import sha256
from ..utils.room import Room, sibling
from . import ranges

#: What of the identity of class texts says what they were made of.
ORIGIN = ('encoder', 'sentences', 'attributes')
# As long as a hash: what copies of a model say of themselves is of one size, as EMA needs it.
_UNKNOWN = '?' * 64
Self = TypeVar('Self', bound='AttributeTextHead')


@MODELS.register_module()
class AttributeTextHead(Room):
    """Text semantic enrichment and patch-text alignment (docs/method.md, sections 4 and 5).

    The T class texts are computed once, when training starts, and stored as a buffer, so that a
    checkpoint needs no text tower.

    Args:
        vocabulary: ``'voc'``, ``'coco'``, ``'toy'``, or a dict with the ``classes`` and, if
            wanted, ``prompts`` and ``backgrounds`` (see ``make_vocabulary``).
        in_channels: Width C of CLIP's joint space. A segmentor tells it by its CLIP. Default:
            None, known once classes are encoded.
        mode: ``'attributes'`` (default), ``'global'`` or ``'fuse'`` (supplement, Table 2a).
        descriptions: Description file, or the bare name of a packaged one (``'voc'``). Not
            needed by ``mode='global'``. The reference's own format is read, too.
        bank: Attribute bank file, the reference's ``*_embedding_bank.pth`` or an ``.npz`` of
            ``tools/build_attributes.py``, instead of descriptions. Default: None.
        num_attributes: Number K of attributes. Default: 112, as for VOC.
        keep_ratio: Share K_r of attributes a class keeps (supplement, Table 1b). Default: 0.9.
        attribute_weight: Weight λ of the attributes (supplement, Table 1a). Default: 1.0.
    """

    class_texts: Tensor

    def __init__(
        self,
        vocabulary: str | dict,
        in_channels: int | None = None,
        mode: str = 'attributes',
        descriptions: str | Path | None = None,
        bank: str | Path | None = None,
        num_attributes: int = 112,
        keep_ratio: float = 0.9,
        attribute_weight: float = 1.0,
        init_cfg=None,
    ) -> None:
        super().__init__(init_cfg)
        if in_channels is not None:
            check_whole('AttributeTextHead.in_channels', in_channels, ranges.WIDTH)
        check_choice('AttributeTextHead.mode', mode, MODES)
        check_whole('AttributeTextHead.num_attributes', num_attributes, '[1, 1e6]')
        check_number('AttributeTextHead.keep_ratio', keep_ratio, ranges.KEEP_RATIO)
        check_number(
            'AttributeTextHead.attribute_weight', attribute_weight, ranges.ATTRIBUTE_WEIGHT
        )
        _check_files(descriptions, bank, mode)
        self.vocabulary = get_vocabulary(vocabulary)
        check_competition(self.vocabulary)
        self.settings: dict[str, Any] = dict(
            mode=mode,
            descriptions=descriptions,
            bank=bank,
            num_attributes=num_attributes,
            keep_ratio=keep_ratio,
            attribute_weight=attribute_weight,
        )
        num_texts = len(self.vocabulary.classes) + len(self.vocabulary.backgrounds)
        self.register_buffer('class_texts', torch.zeros(num_texts, in_channels or 0))
        self.encoded = self.loaded = False
        self.forget_origin()

    def identity(self) -> dict:
        """What the class texts are: vocabulary, settings, and hashes of what they came from."""
        names = self.vocabulary
        return dict(
            vocabulary=dict(
                classes=names.classes, prompts=names.prompts, backgrounds=names.backgrounds
            ),
            **self.settings | self.origin,
        )

    @property
    def in_channels(self) -> int:
        """Width C of CLIP's joint space; 0 as long as nobody has said."""
        return self.class_texts.shape[1]

    def forget_origin(self) -> None:
        """Say that nobody knows what the class texts were made of."""
        made_of = ('encoder', self._knowledge)
        self.origin = {name: _UNKNOWN for name in made_of if name is not None}

    @property
    def _knowledge(self) -> str | None:
        """What the texts are made of beside names, one of ORIGIN."""
        mode = self.settings['mode']
        if mode == 'global':
            return None
        return 'attributes' if mode == 'attributes' and self.settings['bank'] else 'sentences'

    @property
    def num_foreground(self) -> int:
        """Number n of foreground classes."""
        return len(self.vocabulary.classes)

    def check_texts(self) -> None:
        """Find out, without a text encoder, whether the class texts can be computed.

        Raises:
            FileNotFoundError: There is no description file, and the mode needs one.
            ValueError: It does not describe the classes, or too little for its attributes.
        """
        read_knowledge(self.vocabulary, **self.settings)

    def encode_classes(self, encoder) -> None:
        """Fill the class texts (T, C) with a text encoder (``sentences -> (M, C)``)."""
        texts = build_class_texts(encoder, self.vocabulary, **self.settings)
        if not self.in_channels:
            self.class_texts = self.class_texts.new_zeros(texts.shape)
        if texts.shape != self.class_texts.shape:
            raise BadInput(
                f'AttributeTextHead.in_channels is {self.class_texts.shape[1]}, but CLIP embeds '
                f'texts in {texts.shape[1]} dimensions: set in_channels={texts.shape[1]}.'
            )
        self.class_texts.copy_(texts)
        self.encoded, self.loaded = True, False
        self.origin = dict(encoder=encoder.fingerprint)
        known = read_knowledge(self.vocabulary, **self.settings)
        if self._knowledge is not None:
            content = all_texts(known) if isinstance(known, Descriptions) else known
            self.origin[self._knowledge] = sha256(content)

    def asked(self: Self, vocabulary: Vocabulary, texts: Tensor) -> Self:
        """A sibling with other words.

        Args:
            vocabulary: Classes and backgrounds.
            texts: Their embeddings, (T, C), rows of unit length.
        """
        check_competition(vocabulary)
        return sibling(self, vocabulary=vocabulary, class_texts=texts, encoded=True)

    def require_texts(self) -> None:
        """Raise a ``RuntimeError`` if nobody has computed or loaded the class texts."""
        if not self.encoded:
            raise RuntimeError(
                'The class texts are not computed yet: call encode_classes() on the segmentor, or '
                'load a checkpoint.'
            )

    @torch.no_grad()
    def forward(self, embeddings: Tensor, grid: tuple[int, int]) -> Tensor:
        """Align patches with class texts.

        Args:
            embeddings: F, (B, N, C), class token first.
            grid: (g_h, g_w).

        Returns:
            Class activation maps of the foreground classes, (B, n, g_h, g_w), in 0..1.
        """
        self.require_texts()
        return class_maps(embeddings, self.class_texts, self.num_foreground, grid)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        if f'{prefix}class_texts' in state_dict:
            self.encoded = self.loaded = True
        super()._load_from_state_dict(state_dict, prefix, *args)


def check_competition(vocabulary: Vocabulary) -> None:
    """Refuse a single text: maps compare texts with each other, and would not be numbers."""
    if len(vocabulary.texts) < 2:
        raise BadInput(
            f'The class {vocabulary.classes[0]!r} alone competes with nothing: add a class or a '
            'background.'
        )


def _check_files(descriptions: str | Path | None, bank: str | Path | None, mode: str) -> None:
    for setting, file in dict(descriptions=descriptions, bank=bank).items():
        if file is not None and not isinstance(file, Path):
            check_text(f'AttributeTextHead.{setting}', file)
    if descriptions is None and mode != 'global' and not (bank and mode == 'attributes'):
        raise BadInput(
            f'AttributeTextHead.mode is {mode!r}, which needs descriptions: name a description '
            "file, for example one that tools/generate_descriptions.py wrote, or use mode='global'."
        )


def class_maps(
    embeddings: Tensor, texts: Tensor, num_foreground: int, grid: tuple[int, int]
) -> Tensor:
    """Maps (B, n, g_h, g_w) of the foreground among the texts (T, C); never in half precision."""
    # Labels hang on small differences of maps: autocast would round them away.
    with torch.autocast(embeddings.device.type, enabled=False):
        maps = patch_text_maps(embeddings.float(), texts)
    return maps[:, 1:, :num_foreground].transpose(1, 2).unflatten(2, grid)


def patch_text_maps(embeddings: Tensor, texts: Tensor) -> Tensor:
    """Patch-text maps (method 5), min-max normalised over all N tokens.

    Args:
        embeddings: F, (B, N, C), class token first.
        texts: (T, C), rows of unit length.

    Returns:
        (B, N, T) in 0..1.
    """
    similarity = embeddings @ texts.T
    weight = (2 * similarity[:, :1]).softmax(dim=-1)
    weighted = similarity * (weight / weight.mean(dim=-1, keepdim=True))
    maps = weighted - weighted.mean(dim=-1, keepdim=True)
    low, high = maps.amin(dim=1, keepdim=True), maps.amax(dim=1, keepdim=True)
    return (maps - low) / (high - low)
