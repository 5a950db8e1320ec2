"""Class names, the names CLIP is asked with, and the background names they compete with.

Names follow docs/method.md, section 4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Template of every class prompt (ExCEL supplement, section 1).
TEMPLATE = 'a clean origami {}.'

# fmt: off
VOC_CLASSES = (
    'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
    'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train',
    'tvmonitor',
)
COCO_CLASSES = (
    'person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train', 'truck', 'boat',
    'traffic light', 'fire hydrant', 'stop sign', 'parking meter', 'bench', 'bird', 'cat', 'dog',
    'horse', 'sheep', 'cow', 'elephant', 'bear', 'zebra', 'giraffe', 'backpack', 'umbrella',
    'handbag', 'tie', 'suitcase', 'frisbee', 'skis', 'snowboard', 'sports ball', 'kite',
    'baseball bat', 'baseball glove', 'skateboard', 'surfboard', 'tennis racket', 'bottle',
    'wine glass', 'cup', 'fork', 'knife', 'spoon', 'bowl', 'banana', 'apple', 'sandwich', 'orange',
    'broccoli', 'carrot', 'hot dog', 'pizza', 'donut', 'cake', 'chair', 'couch', 'potted plant',
    'bed', 'dining table', 'toilet', 'tv', 'laptop', 'mouse', 'remote', 'keyboard', 'cell phone',
    'microwave', 'oven', 'toaster', 'sink', 'refrigerator', 'book', 'clock', 'vase', 'scissors',
    'teddy bear', 'hair drier', 'toothbrush',
)
BACKGROUNDS = (
    'ground', 'land', 'grass', 'tree', 'building', 'wall', 'sky', 'lake', 'water', 'river', 'sea',
    'railway', 'railroad', 'keyboard', 'helmet', 'cloud', 'house', 'mountain', 'ocean', 'road',
    'rock', 'street', 'valley', 'bridge', 'sign',
)
# fmt: on

VOC_PROMPTS = {
    'bird': 'bird avian',
    'chair': 'chair seat',
    'person': 'person with clothes,people,human',
    'tvmonitor': 'tvmonitor screen',
}
COCO_PROMPTS = {
    'person': 'person with clothes,people,human',
    'motorcycle': 'motorbike',
    'airplane': 'aeroplane',
    'bird': 'bird avian',
    'backpack': 'backpack,bag',
    'umbrella': 'umbrella,parasol',
    'handbag': 'handbag,purse',
    'tie': 'necktie',
    'snowboard': 'sknowboard',  # the reference's spelling: it changes the embedding, so it stays
    'baseball glove': 'glove',
    'spoon': 'dessertspoon',
    'chair': 'chair seat',
    'couch': 'sofa',
    'potted plant': 'pottedplant',
    'dining table': 'diningtable',
    'tv': 'tvmonitor screen',
    'remote': 'remote control',
    'hair drier': 'hairdrier,blowdrier',
}


@dataclass(frozen=True)
class Vocabulary:
    """The names of one data set.

    Args:
        classes: The n foreground class names as the data set spells them, without background.
        prompts: The n names put in the template, class by class.
        backgrounds: The T - n background names put in the template.

    Raises:
        ValueError: If there is no class, a name is empty or a class is named twice, or if
            ``prompts`` does not hold one name per class.
    """

    classes: tuple[str, ...]
    prompts: tuple[str, ...]
    backgrounds: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.classes:
            raise ValueError('A vocabulary needs at least one class.')
        for name in (*self.classes, *self.prompts, *self.backgrounds):
            if not isinstance(name, str) or not name.strip():
                raise ValueError(f'A vocabulary holds non-empty names, not {name!r}.')
        twice = [name for name, times in Counter(self.classes).items() if times > 1]
        if twice:
            raise ValueError(f'These classes are named twice: {", ".join(twice)}.')
        if len(self.prompts) != len(self.classes):
            raise ValueError(
                f'A vocabulary needs one prompt name per class, '
                f'not {len(self.prompts)} for {len(self.classes)} classes.'
            )

    @property
    def texts(self) -> list[str]:
        """The T prompts, foreground first."""
        return [TEMPLATE.format(name) for name in (*self.prompts, *self.backgrounds)]


def make_vocabulary(
    classes: Sequence[str],
    prompts: Mapping[str, str] | None = None,
    backgrounds: Sequence[str] | None = None,
) -> Vocabulary:
    """Vocabulary of any list of classes.

    Args:
        classes: Foreground class names.
        prompts: A better name for the template, for the classes that need one.
            Defaults to None: every class is asked by its own name.
        backgrounds: Background names. Defaults to None: ``BACKGROUNDS`` without those that a
            class name contains as a word (so COCO, which has "keyboard" and "stop sign", does
            without "keyboard" and "sign").

    Raises:
        ValueError: If ``prompts`` names a class that is not in ``classes``, or the vocabulary
            is malformed.
    """
    prompts = dict(prompts or {})
    unknown = sorted(set(prompts) - set(classes))
    if unknown:
        raise ValueError(f'These prompt names belong to no class: {", ".join(unknown)}.')
    if backgrounds is None:
        words = {word for name in classes for word in name.lower().split()}
        backgrounds = [name for name in BACKGROUNDS if name not in words]
    return Vocabulary(
        tuple(classes), tuple(prompts.get(name, name) for name in classes), tuple(backgrounds)
    )


def _toy_vocabulary() -> Vocabulary:
    from mmseg_excel.datasets.toy.vocabulary import TOY_BACKGROUNDS, TOY_CLASSES

    return make_vocabulary(TOY_CLASSES, backgrounds=TOY_BACKGROUNDS)


_VOCABULARIES = {
    'voc': lambda: make_vocabulary(VOC_CLASSES, VOC_PROMPTS),
    'coco': lambda: make_vocabulary(COCO_CLASSES, COCO_PROMPTS),
    'toy': _toy_vocabulary,
}


def get_vocabulary(spec: str | Mapping | Vocabulary) -> Vocabulary:
    """The vocabulary a config asks for.

    Args:
        spec: ``'voc'``, ``'coco'`` or ``'toy'``; or the arguments of ``make_vocabulary`` as a
            dict, for classes of one's own; or a ``Vocabulary``, returned as it is.

    Example:
        >>> get_vocabulary('voc').prompts[2]
        'bird avian'
        >>> get_vocabulary(dict(classes=['crack', 'rust'], backgrounds=['wall'])).texts[2]
        'a clean origami wall.'

    Raises:
        ValueError: If the name is unknown or the dict describes no vocabulary.
    """
    if isinstance(spec, Vocabulary):
        return spec
    if isinstance(spec, Mapping):
        unknown = sorted(set(spec) - {'classes', 'prompts', 'backgrounds'})
        if unknown or 'classes' not in spec:
            raise ValueError(
                'A vocabulary dict holds "classes" and, if wanted, "prompts" and "backgrounds"; '
                f'this one holds {", ".join(map(repr, spec)) or "nothing"}.'
            )
        return make_vocabulary(**spec)
    if spec not in _VOCABULARIES:
        raise ValueError(
            f'There is no vocabulary {spec!r}: choose one of {", ".join(_VOCABULARIES)}, '
            'or give the classes as a dict.'
        )
    return _VOCABULARIES[spec]()
