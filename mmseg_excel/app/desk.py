"""Desk: questions about pictures, answered without encoding a picture twice."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..inference.answers import Answer, EncodedImage
from ..inference.inferencer import TagInferencer
from ..models.excel import ExCELSettings
from ..models.settings import Settings
from ..visualization.attention import Point, attention_from

ATTENTION = ('q-k', 'SVC', 'SVC + LVC', 'affinity')


@dataclass(frozen=True)
class Reply:
    """An answer, and how the question was understood.

    Attributes:
        answer: Maps, labels, prediction.
        remark: What the asker should know, in sentences.
    """

    answer: Answer
    remark: str


class Desk:
    """Answers questions about pictures.

    Args:
        inferencer: The model.
        capacity: Encoded pictures that are remembered, the last ones asked about. Default: 4.
    """

    def __init__(self, inferencer: TagInferencer, capacity: int = 4) -> None:
        self.inferencer = inferencer
        self.capacity = capacity
        self._encoded: OrderedDict[str, EncodedImage] = OrderedDict()

    @property
    def num_blocks(self) -> int:
        """Blocks of CLIP, the largest N."""
        return self.inferencer.model.backbone.num_layers

    def encode(self, pixels: np.ndarray) -> EncodedImage:
        """Encode a picture (H, W, 3) of uint8 RGB, once as long as it is remembered."""
        key = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
        if key not in self._encoded:
            self._encoded[key] = self.inferencer.encode(pixels[..., ::-1])
        self._encoded.move_to_end(key)
        while len(self._encoded) > self.capacity:
            self._encoded.popitem(last=False)
        return self._encoded[key]

    def ask(
        self,
        pixels: np.ndarray,
        classes: Sequence[str],
        backgrounds: Sequence[str],
        settings: Settings,
    ) -> Reply:
        """Look for classes in a picture.

        Classes that are all the model's compete with its other ones, as in the method, and get
        attributes if the model has descriptions. Any other words compete with each other and the
        backgrounds, by their names alone.

        Args:
            pixels: uint8 RGB, (H, W, 3).
            classes: Any words.
            backgrounds: Names that compete with the classes.
            settings: How to ask; the kind of text is decided here.

        Raises:
            ValueError: If there is nothing to look for, or nothing that competes with it.
        """
        if not classes:
            raise ValueError('Type at least one class name.')
        own = self.inferencer.vocabulary
        strangers = [name for name in classes if name not in own.classes]
        if strangers:
            words = {word for name in classes for word in name.lower().split()}
            backgrounds = [name for name in backgrounds if name not in words]
            settings = _by_name_alone(settings)
        if len(backgrounds) + len(classes if strangers else own.classes) < 2:
            raise ValueError('One class alone competes with nothing: add a class or a background.')
        answer = self.inferencer.ask(
            self.encode(pixels),
            tags=classes,
            classes=classes if strangers else None,
            backgrounds=backgrounds,
            settings=settings,
        )
        return Reply(answer, self._remark(strangers, settings))

    def attention(
        self, pixels: np.ndarray, point: Point, settings: Settings
    ) -> dict[str, np.ndarray]:
        """What the patch under a point attends to: name -> (H, W) in 0..1.

        Args:
            pixels: uint8 RGB, (H, W, 3).
            point: (x, y) in pixels.
            settings: How to ask.

        Raises:
            ValueError: If the point lies outside the picture.
        """
        image = self.encode(pixels)
        matrices = self.inferencer.correlations(image, settings)
        shown = (name for name in ATTENTION if name in matrices)
        return {name: attention_from(image, matrices[name], point) for name in shown}

    def _remark(self, strangers: Sequence[str], settings: Settings) -> str:
        own = self.inferencer.vocabulary
        if strangers:
            names = ', '.join(f'“{name}”' for name in strangers)
            return (
                f'There are no descriptions of {names}: the typed names alone are the texts '
                '(Global), λ and K_r have no effect, and only what you typed competes.'
            )
        if not isinstance(settings, ExCELSettings):
            return 'The names alone are the texts; they compete with each other and backgrounds.'
        texts = {
            'attributes': 'Attributes from descriptions enrich the class names (λ, K_r).',
            'fuse': 'Texts are means with the classes’ sentences: λ and K_r have no effect.',
            'global': 'The model has no descriptions: λ and K_r have no effect.',
        }
        others = f'All {len(own.classes)} classes of the model compete, with the backgrounds.'
        return f'{texts[settings.texts]} {others}'


def _by_name_alone(settings: Settings) -> Settings:
    """The settings without descriptions, which strangers do not have."""
    if isinstance(settings, ExCELSettings):
        return replace(settings, texts='global')
    return settings
