"""Captions: what a scene shows, in many words, with the prompts ExCEL will use among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .scenes import Scene, SceneObject

TEMPLATE = 'a clean origami {}.'

_LOOKS = {
    'hull': ('curved', 'wide', 'long'),
    'mast': ('tall', 'thin', 'upright'),
    'sails': ('triangular', 'pointed', 'big'),
    'cabin': ('square', 'boxy'),
    'funnel': ('tall', 'short'),
    'flag': ('small', 'pointed'),
    'windows': ('small', 'bright', 'dark'),
    'walls': ('square', 'flat', 'wide'),
    'roof': ('sloped', 'pointed'),
    'door': ('narrow', 'upright'),
    'chimney': ('narrow', 'short'),
    'body': ('rounded', 'long', 'smooth'),
    'headlight': ('round', 'bright'),
    'wheels': ('round', 'two round', 'dark'),
    'trunk': ('straight', 'thick', 'wooden'),
    'leaves': ('thick', 'leafy', 'rounded'),
    'needles': ('layered', 'pointed', 'triangular'),
    'fruit': ('round', 'small'),
    'tail': ('long', 'pointed', 'forked'),
    'fins': ('pointed', 'triangular', 'small'),
    'stripes': ('bold', 'upright', 'wide'),
    'eye': ('round', 'big'),
    'wings': ('spread', 'wide', 'open'),
    'wing': ('folded', 'oval'),
    'legs': ('thin', 'long', 'short'),
    'head': ('round', 'small'),
    'beak': ('sharp', 'pointed', 'small'),
    'petals': ('soft', 'oval', 'rounded'),
    'centre': ('round', 'small'),
    'stem': ('thin', 'straight', 'long'),
    'arms': ('bare', 'thin', 'outstretched'),
    'trousers': ('long', 'straight'),
    'skirt': ('wide', 'flared'),
    'shoes': ('small', 'rounded'),
    'shirt': ('plain', 'bright'),
    'hair': ('short', 'round'),
    'face': ('round', 'smiling'),
    'hat': ('wide', 'flat'),
    'ears': ('pointed', 'triangular'),
    'eyes': ('bright', 'round'),
    'nose': ('small', 'little'),
    'envelope': ('round', 'big', 'swollen'),
    'ropes': ('thin', 'slanting'),
    'basket': ('small', 'woven', 'hanging'),
}
_SINGULAR = {
    'hull',
    'mast',
    'cabin',
    'funnel',
    'flag',
    'roof',
    'door',
    'chimney',
    'body',
    'headlight',
    'trunk',
    'tail',
    'eye',
    'wing',
    'head',
    'beak',
    'centre',
    'stem',
    'skirt',
    'shirt',
    'face',
    'hat',
    'nose',
    'envelope',
    'basket',
}


def write_caption(rng: np.random.Generator, scene: Scene) -> str:
    """Return one lower-case sentence or two about ``scene``.

    A third is the bare prompt of something in the scene, a third is a prompt followed by a sentence
    on visible parts (as ExCEL encodes descriptions), and a third tells the whole scene.
    """
    style = rng.random()
    if not scene.objects or style < 0.06:
        return TEMPLATE.format(_one(rng, scene.backgrounds))
    if style < 0.28:
        return TEMPLATE.format(_one(rng, scene.tags))
    item = scene.objects[rng.integers(len(scene.objects))]
    if style < 0.60:
        return f'{TEMPLATE.format(item.name)} {part_sentence(rng, item)}'
    if style < 0.70:
        return part_sentence(rng, item)
    return scene_sentence(rng, scene)


def part_sentence(rng: np.random.Generator, item: SceneObject) -> str:
    """Return a sentence on one to three visible parts of ``item`` that does not name its class."""
    parts = [item.parts[i] for i in rng.permutation(len(item.parts))[: rng.integers(1, 4)]]
    phrases = [_part_phrase(rng, *part) for part in parts]
    form = _one(rng, ('{}.', 'it has {}.', 'you can see {}.', 'look for {}.', 'showing {}.'))
    return form.format(_join(rng, phrases))


def scene_sentence(rng: np.random.Generator, scene: Scene) -> str:
    """Return a sentence naming every object and where they are."""
    phrases = [_object_phrase(rng, scene.objects[i]) for i in rng.permutation(len(scene.objects))]
    start = _one(rng, ('', '', 'a picture of ', 'there is '))
    where = ''
    if rng.random() < 0.75:
        where = (
            f' {_one(rng, ("on", "by", "in front of", "with"))} the {_one(rng, scene.backgrounds)}'
        )
    return f'{start}{_join(rng, phrases)}{where}.'


def _object_phrase(rng: np.random.Generator, item: SceneObject) -> str:
    colour = f'{item.colour} ' if rng.random() < 0.5 else ''
    phrase = _with_article(f'{colour}{item.name}')
    if rng.random() < 0.5:
        phrase += f' with {_part_phrase(rng, *item.parts[rng.integers(len(item.parts))])}'
    return phrase


def _part_phrase(rng: np.random.Generator, name: str, colour: str) -> str:
    words = [_one(rng, _LOOKS[name])] if rng.random() < 0.5 else []
    if colour and rng.random() < 0.5:
        words.append(colour)
    phrase = ' '.join([*words, name])
    return _with_article(phrase) if name in _SINGULAR else phrase


def _with_article(phrase: str) -> str:
    return f'{"an" if phrase[0] in "aeiou" else "a"} {phrase}'


def _join(rng: np.random.Generator, phrases: Sequence[str]) -> str:
    if len(phrases) == 1:
        return phrases[0]
    link = _one(rng, (' and ', ' and ', ' next to '))
    return f'{", ".join(phrases[:-1])}{link}{phrases[-1]}'


def _one(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return str(choices[int(rng.integers(len(choices)))])
