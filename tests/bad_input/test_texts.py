"""Names, description files and attributes that cannot be used."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mmseg_excel.text.attribute_bank import encode, get_attribute_bank
from mmseg_excel.text.attributes import cluster_attributes, hunt_attributes, hunting_weights
from mmseg_excel.text.class_texts import read_sentences
from mmseg_excel.text.descriptions import load_descriptions
from mmseg_excel.text.vocabulary import TEMPLATE, Vocabulary, get_vocabulary, make_vocabulary

from .case import Case

LONG = ' '.join(['unquestionably'] * 80)
SETTINGS = dict(
    mode='attributes', descriptions='voc', num_attributes=112, keep_ratio=0.9, attribute_weight=1.0
)
NAN = float('nan')


def classes(*names: object) -> Callable[[Path], object]:
    return lambda folder: make_vocabulary(list(names))


def vocabulary(**parts: object) -> Callable[[Path], object]:
    return lambda folder: get_vocabulary(parts)


def file(content: object = None, **changes: object) -> Callable[[Path], object]:
    """Read a description file: bytes, a text, or a good file's content but for some changes."""
    good = dict(
        schema_version=1,
        dataset='pets',
        template=TEMPLATE,
        provenance={},
        descriptions=dict(cat=['It has whiskers.']),
    )
    good = {key: value for key, value in (good | changes).items() if value is not ...}

    def act(folder: Path) -> object:
        text = json.dumps(good) if content is None else content
        (folder / 'own.json').write_bytes(text.encode() if isinstance(text, str) else text)
        return load_descriptions(folder / 'own.json')

    return act


def reading(**changes: object) -> Callable[[Path], object]:
    """Read the sentences of VOC with some settings changed."""
    return lambda folder: read_sentences(get_vocabulary('voc'), **(SETTINGS | changes))


def cut(folder: Path) -> object:
    file(descriptions=dict(cat=[f'It is {LONG}.']))(folder)
    pets = make_vocabulary(['cat'])
    return read_sentences(pets, **(SETTINGS | dict(descriptions=folder / 'own.json', mode='fuse')))


def special(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def act(folder: Path) -> object:
        make(folder / 'own.json')
        return load_descriptions(folder / 'own.json')

    return act


NAMES = [
    Case('no class', classes(), 'at least one class'),
    Case('an empty name', classes('cat', ''), "not '', which is empty"),
    Case('a blank name', classes('cat', ' '), "not ' ', which is empty"),
    Case('a number', classes('cat', 3), 'not 3, which is no text'),
    Case('None', classes('cat', None), 'not None, which is no text'),
    Case('bytes', classes(b'cat'), 'which is no text'),
    Case('a list', classes(['cat']), 'which is no text'),
    Case('outer blanks', classes('cat '), "'cat ', which begins or ends with a blank"),
    Case('a tab', classes('ca\tt'), 'cannot be printed'),
    Case('a line break', classes('cat\ndog'), 'cannot be printed'),
    Case('a zero', classes('cat\0'), 'cannot be printed'),
    Case('half a letter', classes('\ud800'), 'cannot be printed'),
    Case('an invisible letter', classes('c\u200bat'), 'cannot be printed'),
    Case('70 000 letters', classes('x' * 70_000), 'has 70000 letters, over 300'),
    Case('over 77 tokens', classes('a ' * 90 + 'b'), 'more than the 77 tokens that CLIP reads'),
    Case('emojis over 77 tokens', classes('🐈' * 60), 'more than the 77 tokens that CLIP reads'),
    Case('twice', classes('cat', 'dog', 'cat'), 'classes are named twice: cat'),
    Case('twice but for case', classes('cat', 'Cat'), "CLIP reads 'cat' and 'Cat' alike"),
    Case('twice but for blanks', classes('hot dog', 'hot  dog'), "CLIP reads 'hot dog' and"),
    Case('background', classes('cat', 'background'), "'background' is no class"),
    Case('Background', classes('cat', 'Background'), "'background' is no class"),
    Case('255 classes', classes(*(f'thing {i}' for i in range(255))), 'at most 254 classes'),
    *(
        Case(f'classes = {value!r}', lambda f, v=value: make_vocabulary(v), 'must be a list of nam')
        for value in ('cat', None, 3, {'cat': 1}, b'cat')
    ),
    Case(
        'prompts of no class', vocabulary(classes=['cat'], prompts=dict(dog='a')), "no class: 'dog'"
    ),
    *(
        Case(f'prompts = {value!r}', vocabulary(classes=['cat'], prompts=value), 'must be a dict')
        for value in ('cat', ['cat'], 3)
    ),
    Case(
        'a prompt',
        vocabulary(classes=['cat'], prompts=dict(cat=3)),
        'prompts must hold names.* not 3',
    ),
    Case(
        'no prompt', vocabulary(classes=['cat'], prompts=dict(cat='')), 'prompts must hold .*empty'
    ),
    Case(
        'equal prompts',
        vocabulary(classes=['cat', 'dog'], prompts=dict(cat='pet', dog='Pet')),
        "CLIP reads 'pet' and 'Pet' alike",
    ),
    *(
        Case(f'backgrounds = {v!r}', vocabulary(classes=['cat'], backgrounds=v), 'must be a list')
        for v in ('grass', 3, {'grass': 1})
    ),
    Case(
        'a background',
        vocabulary(classes=['cat'], backgrounds=[None]),
        'backgrounds must hold .* None',
    ),
    Case(
        'backgrounds twice',
        vocabulary(classes=['cat'], backgrounds=['sky', 'sky']),
        'backgrounds are named twice: sky',
    ),
    Case(
        'a background that is a class',
        vocabulary(classes=['cat'], backgrounds=['Cat']),
        "CLIP reads 'cat' and 'Cat' alike",
    ),
    Case('an unknown part', vocabulary(classes=['cat'], background=['sky']), "'background'"),
    Case('no classes', vocabulary(backgrounds=['sky']), 'holds "classes"'),
    Case('parts that are numbers', lambda f: get_vocabulary({1: 2, 'a': 3}), 'holds "classes"'),
    *(
        Case(
            f'vocabulary {spec!r}', lambda f, s=spec: get_vocabulary(s), 'no vocabulary.*voc, coco'
        )
        for spec in ('pascal', '', None, 3, ['cat'])
    ),
    Case('a prompt too few', lambda f: Vocabulary(('a', 'b'), ('a',), ()), 'one prompt name per'),
    Case('a text as names', lambda f: Vocabulary('ab', ('a', 'b'), ()), 'must be a list of names'),
]

FILES = [
    Case('no such file', lambda f: load_descriptions(f / 'no.json'), 'no description file'),
    Case('no such name', lambda f: load_descriptions('vocc'), r'packaged: coco, toy, voc'),
    Case('a folder', special(Path.mkdir), 'is a folder, not a description file'),
    Case('a pipe', special(os.mkfifo), 'a device or a pipe'),
    Case('a device', lambda f: load_descriptions('/dev/zero'), 'a device or a pipe'),
    Case('too large', special(lambda p: p.touch() or os.truncate(p, 65 << 20)), 'has 65 MiB'),
    *(
        Case(f'{value!r}', lambda f, v=value: load_descriptions(v), 'given by its name')
        for value in (None, 3, 'a\0')
    ),
    Case('empty', file(''), 'own.json. is not a JSON file'),
    Case('half of it', file('{"schema_version": 1,'), 'is not a JSON file'),
    Case('an image', file(b'\xff\xd8\xff'), 'is not UTF-8 text'),
    Case('UTF-16', file('{}'.encode('utf-16')), 'is not UTF-8 text'),
    Case('a byte order mark', file('\ufeff{}'), 'has schema_version None'),
    Case('nested deeply', file('[' * 100_000), 'is nested too deeply'),
    Case('a list', file('[]'), 'must hold a JSON object'),
    Case('a key twice', file('{"dataset": "a", "dataset": "b"}'), "key 'dataset' stands twice"),
    Case('NaN', file('{"dataset": NaN}'), 'NaN is no number of JSON'),
    Case('another version', file(schema_version=2), 'schema_version 2'),
    Case('no version', file(schema_version=...), 'schema_version None'),
    Case('another template', file(template='a {}.'), "template 'a {}.'"),
    Case('no template', file(template=...), 'template None'),
    Case('no data set', file(dataset=...), "'dataset' of type str"),
    Case('a data set', file(dataset=3), "'dataset' of type str"),
    Case('no provenance', file(provenance=...), "'provenance' of type dict"),
    Case('no descriptions', file(descriptions=...), "'descriptions' of type dict"),
    Case('descriptions', file(descriptions=['cat']), "'descriptions' of type dict"),
    Case('no class', file(descriptions={}), 'describes no class'),
    Case('an unknown key', file(sentences=3), "key 'sentences', which nothing reads"),
    Case('an empty class', file(descriptions={'': ['It is.']}), 'must hold .*empty'),
    *(
        Case(f'sentences {lines!r}', file(descriptions=dict(cat=lines)), "'cat' needs a list")
        for lines in ('It is.', [], None, [''], [' '], [3], [['It is.']], {'a': 1})
    ),
    Case('a line break', file(descriptions=dict(cat=['It\nis.'])), 'cannot be printed'),
    Case('1001 sentences', file(descriptions=dict(cat=['It is.'] * 1001)), 'over 1000: leave'),
    Case('half a letter', file(descriptions=dict(cat=['It \ud800 is.'])), 'cannot be printed'),
    Case('a sentence that is cut', cut, "CLIP reads 77 tokens, and this sentence about 'cat'"),
]

ATTRIBUTES = [
    *(
        Case(f'{name} = {value!r}', reading(**{name: value}), name)
        for name, values in dict(
            mode=('fused', None, 3, ['global']),
            descriptions=(None, 'vocc', 'coco'),
            num_attributes=(0, -1, 1.5, '112', None, 10**9, True, NAN),
            keep_ratio=(0, -0.1, 1.1, NAN, float('inf'), '1', None),
            attribute_weight=(-1, NAN, float('inf'), '1', None),
        ).items()
        for value in values
    ),
    *(
        Case(f'{k} clusters', lambda f, k=k: cluster_attributes(torch.eye(5), k), '5 sentences can')
        for k in (0, 6, 2.5, None)
    ),
    Case('no encoder', lambda f: encode(None, ['cat']), 'encoder is None'),
    *(
        Case(f'a bank of {texts}', lambda f, t=texts: get_attribute_bank(encode, t, 1, f), says)
        for texts, says in (('cat', "sentences is 'cat'"), ([3], 'sentences has 3'))
    ),
    Case('weights', lambda f: hunting_weights(torch.eye(2), torch.eye(2), 2), 'keep_ratio is 2'),
    Case(
        'enrichment',
        lambda f: hunt_attributes(torch.eye(2), torch.eye(2), 1.0, NAN),
        'attribute_weight is nan',
    ),
]


@pytest.mark.parametrize('case', [*NAMES, *FILES, *ATTRIBUTES], ids=str)
def test_is_refused_in_one_sentence(case, tmp_path):
    case.check(tmp_path)


def test_names_are_data():
    names = ['{}', '{0.__class__}', '%s', '$x$', 'a\\b', 'Wörter', '猫']
    assert make_vocabulary(names, backgrounds=['sky']).texts[1] == (
        'a clean origami {0.__class__}.'
    )
