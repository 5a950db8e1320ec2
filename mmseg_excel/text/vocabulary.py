"""Class names, the names CLIP is asked with, and the background names they compete with.

Names follow docs/method.md, section 4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..clip.tokens import CONTEXT_LENGTH, is_cut
from ..utils.bad_input import BadInput
from ..utils.checks import shown

#: Template of every class prompt (ExCEL supplement, section 1).
TEMPLATE = 'a clean origami {}.'

#: Label maps are bytes: 0 is background and 255 ignored.
MOST_CLASSES = 254
MOST_LETTERS = 300

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
#: What the toy world draws: objects, then textures and clutter behind and between them.
TOY_CLASSES = (
    'boat', 'house', 'car', 'tree', 'fish', 'bird', 'flower', 'person', 'cat', 'balloon',
)
TOY_BACKGROUNDS = (
    'grass', 'sky', 'sea', 'sand', 'snow', 'road', 'wall', 'field', 'cloud', 'stone', 'box',
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
        ValueError: If there is no class or more than 254, if CLIP cannot read a name or reads two
            of them alike, or if ``prompts`` does not hold one name per class.
    """

    classes: tuple[str, ...]
    prompts: tuple[str, ...]
    backgrounds: tuple[str, ...]

    def __post_init__(self) -> None:
        for kind in ('classes', 'prompts', 'backgrounds'):
            check_names(kind, getattr(self, kind))
        if not self.classes:
            raise BadInput('A vocabulary needs at least one class, but classes is empty.')
        if len(self.classes) > MOST_CLASSES:
            raise BadInput(
                f'A vocabulary has at most {MOST_CLASSES} classes, as labels are bytes and 255 is '
                f'no class, not {len(self.classes)}.'
            )
        if len(self.prompts) != len(self.classes):
            raise BadInput(
                f'A vocabulary needs one prompt name per class, '
                f'not {len(self.prompts)} for {len(self.classes)} classes.'
            )
        if 'background' in map(_plain, self.classes):
            raise BadInput("'background' is no class, but what no class covers: leave it out.")
        _check_distinct('classes', self.classes)
        _check_distinct('prompts and backgrounds', (*self.prompts, *self.backgrounds))

    @property
    def texts(self) -> list[str]:
        """The T prompts, foreground first."""
        return [TEMPLATE.format(name) for name in (*self.prompts, *self.backgrounds)]


def check_names(kind: str, names: object) -> None:
    """Refuse what is no list of names that CLIP can read whole.

    Args:
        kind: What is named, for the message: ``'classes'``.
        names: List or tuple of names; it may be empty.

    Raises:
        BadInput: Names the first bad name and what is wrong with it.
    """
    if isinstance(names, str | bytes | Mapping) or not isinstance(names, Sequence):
        raise BadInput(f'{kind} is {shown(names)}, but must be a list of names.')
    for name in names:
        if problem := _problem(name):
            raise BadInput(
                f'{kind} must hold names that CLIP can read, not {shown(name)}, which {problem}.'
            )


def _problem(name: object) -> str | None:
    """What is wrong with one name."""
    if not isinstance(name, str):
        return 'is no text'
    if not name.strip():
        return 'is empty'
    if name != name.strip():
        return 'begins or ends with a blank'
    if not name.isprintable():
        return 'has letters that cannot be printed, such as a line break'
    if len(name) > MOST_LETTERS:
        return f'has {len(name)} letters, over {MOST_LETTERS}'
    if is_cut(TEMPLATE.format(name)):
        return f'has more than the {CONTEXT_LENGTH} tokens that CLIP reads: shorten it'
    return None


def _plain(name: str) -> str:
    """A name as CLIP's tokenizer reads it: without capitals and without more than one blank."""
    return ' '.join(name.lower().split())


def _check_distinct(kind: str, names: Sequence[str]) -> None:
    """Refuse names that CLIP reads alike: neither could win over the other."""
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise BadInput(f'These {kind} are named twice: {", ".join(twice[:5])}.')
    first: dict[str, str] = {}
    for name in names:
        if (other := first.setdefault(_plain(name), name)) != name:
            raise BadInput(f'CLIP reads {other!r} and {name!r} alike: leave one of them out.')


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
    check_names('classes', classes)
    prompts = {} if prompts is None else prompts
    if not isinstance(prompts, Mapping):
        raise BadInput(f'prompts is {shown(prompts)}, but must be a dict from class to name.')
    unknown = sorted(shown(name) for name in set(prompts) - set(classes))
    if unknown:
        raise BadInput(f'These prompt names belong to no class: {", ".join(unknown[:5])}.')
    if backgrounds is not None:
        check_names('backgrounds', backgrounds)
    else:
        words = {word for name in classes for word in name.lower().split()}
        backgrounds = [name for name in BACKGROUNDS if name not in words]
    return Vocabulary(
        tuple(classes), tuple(prompts.get(name, name) for name in classes), tuple(backgrounds)
    )


_VOCABULARIES = {
    'voc': lambda: make_vocabulary(VOC_CLASSES, VOC_PROMPTS),
    'coco': lambda: make_vocabulary(COCO_CLASSES, COCO_PROMPTS),
    'toy': lambda: make_vocabulary(TOY_CLASSES, backgrounds=TOY_BACKGROUNDS),
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
        unknown = set(spec) - {'classes', 'prompts', 'backgrounds'}
        if unknown or 'classes' not in spec:
            raise BadInput(
                'A vocabulary dict holds "classes" and, if wanted, "prompts" and "backgrounds"; '
                f'this one holds {", ".join(map(repr, spec)) or "nothing"}.'
            )
        return make_vocabulary(**spec)
    if not isinstance(spec, str) or spec not in _VOCABULARIES:
        raise BadInput(
            f'There is no vocabulary {shown(spec)}: choose one of {", ".join(_VOCABULARIES)}, '
            'or give the classes as a dict.'
        )
    return _VOCABULARIES[spec]()
