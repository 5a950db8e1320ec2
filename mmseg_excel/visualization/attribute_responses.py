"""Figure `attributes`: what single attributes respond to (ExCEL supplement, Fig. 6)."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from ..inference.subject import Subject
from ..models.attribute_text_head import patch_text_maps
from ..models.excel import ExCELSettings
from ..ops.resize import resize
from ..text.attribute_bank import AttributeBank, encode
from ..text.wordbook import Wordbook
from ..utils.bad_input import BadInput
from ..utils.checks import check_sequence, check_whole
from .figure import grid_figure, heat_overlay, stretched, with_notice

TEXTS = {'Global': 'global', 'Fuse': 'fuse', 'Attributes': 'attributes'}


@dataclass(frozen=True)
class Attribute:
    """One attribute as a class sees it.

    Attributes:
        index: Its number in the bank, 0..K-1.
        sentence: The sentence nearest to it, which names what it stands for.
    """

    index: int
    sentence: str


def attributes_figure(subjects: Sequence[Subject], count: int = 5) -> Figure:
    """Responses of attributes, and the maps of the three kinds of text, one row a tag.

    Args:
        subjects: Images whose tags are classes of the config; ExCEL's, and it needs descriptions.
        count: Attributes a row. Default: 5, those the class resembles most.

    Raises:
        ValueError: If a tag is none of the config's classes.
    """
    check_sequence('subjects', subjects)
    check_whole('count', count, '[1, 1000]')
    inferencer = subjects[0].inferencer
    settings = inferencer.settings
    if not isinstance(settings, ExCELSettings):
        raise BadInput(f'{inferencer.model.NAME} has no attributes: choose a config of ExCEL.')
    rows, sentences = [], []
    for subject in subjects:
        for tag in subject.ask().tags:
            hunted = attributes_of(inferencer.words, tag, count)
            rows.append((tag, _row(subject, settings, tag, hunted)))
            listed = '; '.join(f'{a.index} “{_shorten(a.sentence)}”' for a in hunted)
            sentences.append(f'{tag}: {listed}.')
    titles = [
        'image' if any(subject.truth is None for subject in subjects) else 'ground truth',
        *(f'attribute {number + 1}' for number in range(count)),
        *TEXTS,
    ]
    caption = (
        f'Responses of the {count} attributes each class resembles most, and its maps with three '
        'kinds of text: the plain prompt (Global), its mean with the class’s sentences (Fuse), and '
        'hunted attributes, each over its own range. Attributes by the sentence nearest to each: '
        + ' '.join(dict.fromkeys(sentences))
    )
    return grid_figure(
        titles, rows, with_notice(caption, inferencer.notice), colour_bar='lowest to highest'
    )


def attributes_of(words: Wordbook, name: str, count: int) -> list[Attribute]:
    """The attributes a class resembles most, strongest first."""
    bank, vocabulary = words.attribute_bank, words.vocabulary
    if name not in vocabulary.classes:
        raise BadInput(f'{name!r} is none of the classes {", ".join(vocabulary.classes)}.')
    prompt = vocabulary.texts[vocabulary.classes.index(name)]
    likeness = bank.attributes @ encode(words.encoder, [prompt])[0]
    best = likeness.topk(min(count, len(likeness))).indices.tolist()
    return [Attribute(index, nearest_sentence(bank, index)) for index in best]


def nearest_sentence(bank: AttributeBank, index: int) -> str:
    """The sentence of an attribute's cluster that lies nearest to it, without the template."""
    members = (bank.clusters == index).nonzero()[:, 0]
    likeness = bank.embeddings[members] @ bank.attributes[index]
    text = bank.sentences[int(members[likeness.argmax()])]
    return text.split('. ', 1)[-1]


@torch.no_grad()
def attribute_responses(subject: Subject, indices: Sequence[int]) -> np.ndarray:
    """Maps of single attributes, which compete with all others and the backgrounds, (K, H, W)."""
    inferencer, image = subject.inferencer, subject.image
    texts = inferencer.texts(inferencer.vocabulary, inferencer.settings)
    backgrounds = texts[len(inferencer.vocabulary.classes) :]
    attributes = F.normalize(inferencer.words.attribute_bank.attributes, dim=1).to(texts)
    calibration = inferencer.model.read(image.trace).calibration
    maps = patch_text_maps(calibration.embeddings(), torch.cat([attributes, backgrounds]))[0, 1:]
    grids: Tensor = maps[:, list(indices)].T.unflatten(1, image.trace.grid)
    return resize(grids[None], image.size)[0].cpu().numpy()


def _row(
    subject: Subject, settings: ExCELSettings, tag: str, hunted: Sequence[Attribute]
) -> list[np.ndarray]:
    pixels = subject.image.pixels
    responses = attribute_responses(subject, [a.index for a in hunted])
    maps = []
    for texts in TEXTS.values():
        answer = subject.ask(replace(settings, texts=texts, dynamic=False))
        maps.append(answer.maps[answer.tags.index(tag)])
    first = pixels if subject.truth is None else subject.truth.overlay(pixels)
    return [first, *(heat_overlay(stretched(m), pixels) for m in (*responses, *maps))]


def _shorten(sentence: str) -> str:
    return textwrap.shorten(sentence, 48, placeholder=' …')
