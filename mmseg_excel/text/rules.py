"""The rules that sentences about a class must keep, and a checker of description files.

Run it as ``python -m mmseg_excel.text.rules descriptions/voc.json``.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Sequence
from functools import cache

from ..clip.tokens import CONTEXT_LENGTH, count_tokens
from ..utils.arguments import Parser
from .descriptions import Descriptions, load_descriptions, sentence_text

NUM_SENTENCES = 20  # ExCEL supplement, section 1
MIN_WORDS, MAX_WORDS = 8, 25
MAX_CHARACTERS = 300
MAX_OVERLAP = 0.5

_WORD = re.compile(r"\w+(?:[-'’]\w+)*")
_PLAIN = re.compile(r"[\w\s.,;:'’\"“”()/%°–—-]+")
_PAST = {'was', 'were', 'had', 'will', 'did'}
_UNSEEN = {
    'smell',
    'smells',
    'scent',
    'taste',
    'tastes',
    'noise',
    'noisy',
    'loud',
    'loudly',
    'heard',
}
# Words that say little about what a sentence is about.
_FILLERS = set(
    'a an and are as at be been but by can each every for from has have in into is it its itself '
    'like long many may more most of often on one or other over some sometimes than that the their '
    'them then these they this to too two under up usually very when which while whose with'.split()
)
_DETERMINER = r'(?:an?|the|this|that|these|those|its|each|every|most|many|some|typical)\s+'
# What follows a noun that stands for itself, unlike the "orange" of "orange petals".
_AFTER_NOUN = (
    r'(?=\s*(?:[.,;:)]|$)|\s+(?:is|are|has|have|can|may|with|without|that|which|whose|who|of|in|on|'
    r'at|by|from|and|or|usually|often|typically|always|shows?|looks?|seen|viewed)\b)'
)
_QUALIFIER = (
    r'(?:(?!than\b|between\b|of\b|like\b|unlike\b|from\b|to\b|for\b|near\b|with\b)[\w-]+\s+)'
)


def check_descriptions(
    descriptions: Descriptions, classes: Sequence[str] | None = None
) -> list[str]:
    """All broken rules of a whole knowledge base, as sentences; empty if there is none.

    Args:
        descriptions: The sentences.
        classes: All classes of the data set. Defaults to None: those that are described.
    """
    classes = list(classes or descriptions.sentences)
    return [
        f'{name}: {problem}'
        for name, lines in descriptions.sentences.items()
        for problem in check_sentences(name, lines, classes)
    ]


def check_sentences(name: str, sentences: Sequence[str], classes: Sequence[str]) -> list[str]:
    """The rules that the sentences about one class break, as sentences; empty if none.

    Rules: 20 sentences, no two alike; each of 8 to 25 words, plain text, in the present tense,
    about something visible, within CLIP's 77 tokens with the template in front, and not about
    another class.

    Args:
        name: The class.
        sentences: What is said of it, without the template.
        classes: All classes of the list; ``name`` may be among them.
    """
    problems = sift_sentences(name, sentences, classes)[1]
    if len(sentences) != NUM_SENTENCES:
        problems.append(f'there are {len(sentences)} sentences, not {NUM_SENTENCES}')
    return problems


def sift_sentences(
    name: str, sentences: Sequence[str], classes: Sequence[str], kept: Sequence[str] = ()
) -> tuple[list[str], list[str]]:
    """Part the sentences that keep the rules from those that do not.

    Args:
        name: The class.
        sentences: New sentences about it.
        classes: All classes of the list.
        kept: Sentences that new ones must not repeat. Defaults to none.

    Returns:
        The good new sentences, and for each other one a sentence that says what is wrong with it.
    """
    good: list[str] = []
    problems: list[str] = []
    for sentence in sentences:
        problem = _problem(name, sentence, classes) or _repeat(name, sentence, [*kept, *good])
        if problem:
            problems.append(f'{problem}: {_quote(sentence)}')
        else:
            good.append(sentence)
    return good, problems


def _problem(name: str, sentence: str, classes: Sequence[str]) -> str | None:
    """The first rule that one sentence breaks by itself."""
    if len(sentence) > MAX_CHARACTERS:
        return f'{len(sentence)} characters, over {MAX_CHARACTERS}'
    if not _PLAIN.fullmatch(sentence) or sentence != ' '.join(sentence.split()):
        return 'not one line of plain text'
    words = _WORD.findall(sentence.lower())
    if not MIN_WORDS <= len(words) <= MAX_WORDS:
        return f'{len(words)} words, not {MIN_WORDS} to {MAX_WORDS}'
    if 'origami' in words:
        return 'names the template'
    if past := _PAST.intersection(words):
        return f'not in the present tense ({", ".join(sorted(past))})'
    if unseen := _UNSEEN.intersection(words):
        return f'not about something visible ({", ".join(sorted(unseen))})'
    if (tokens := count_tokens(sentence_text(name, sentence))) > CONTEXT_LENGTH:
        return f'{tokens} tokens with the template, over {CONTEXT_LENGTH}'
    for other in classes:
        if other != name and _is_about(sentence.lower(), other.lower(), name.lower()):
            return f'speaks of the class "{other}" as if it were this one'
    return None


def _repeat(name: str, sentence: str, others: Sequence[str]) -> str | None:
    own = set(_WORD.findall(name.lower()))
    content = _content(sentence) - own
    for other in others:
        if _overlap(content, _content(other) - own) >= MAX_OVERLAP:
            return f'says nearly the same as {_quote(other)}'
    return None


def _quote(sentence: str) -> str:
    return f'"{textwrap.shorten(sentence, 200, placeholder=" ...")}"'


def _is_about(sentence: str, other: str, own: str) -> bool:
    """Whether another class is the sentence's subject, or what the sentence says this one is."""
    if _joined(other) not in _joined(sentence):
        return False
    if own not in other:  # the "bear" of "teddy bear" is no bear
        sentence = _name_pattern(own).sub('it', sentence)
    return any(pattern.search(sentence) for pattern in _claims(other))


@cache
def _claims(other: str) -> tuple[re.Pattern, ...]:
    noun = _name_pattern(other).pattern
    return (
        re.compile(rf"^(?:{_DETERMINER})?{noun}(?:['’]s?\b|{_AFTER_NOUN})"),
        re.compile(
            rf'\b(?:is|are|this|being)\s+(?:an?|the)\s+{_QUALIFIER}{{0,2}}{noun}{_AFTER_NOUN}'
        ),
        re.compile(rf'\b(?:kind|type|sort|breed) of {_QUALIFIER}{{0,2}}{noun}{_AFTER_NOUN}'),
    )


def _joined(text: str) -> str:
    return text.replace(' ', '')


@cache
def _name_pattern(name: str) -> re.Pattern:
    """A class name in singular or plural, in one word or several ("diningtable")."""
    letters = r'\s?'.join(re.escape(letter) for letter in name if not letter.isspace())
    return re.compile(rf'\b{letters}(?:s|es)?\b')


def _content(sentence: str) -> set[str]:
    """The words that carry the sentence, without plural endings."""
    words = set(_WORD.findall(sentence.lower())) - _FILLERS
    return {re.sub(r'(?<=\w{3})(?:es|s)$', '', word) for word in words}


def _overlap(a: set[str], b: set[str]) -> float:
    """Part of the words that two sentences share, of all words in either."""
    return len(a & b) / len(a | b) if a | b else 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Check description files: 0 if all keep the rules, 1 if not, 2 if one cannot be read."""
    parser = Parser(description='Check description files against the rules.')
    parser.add_argument('files', nargs='+', help='description files, or names of packaged ones')
    files = parser.parse_args(arguments).files
    try:
        return int(sum(_report(file) for file in files) > 0)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2


def _report(file: str) -> int:
    """Print the problems of a file; how many there are."""
    descriptions = load_descriptions(file)
    problems = _missing(descriptions) + check_descriptions(descriptions)
    for problem in problems:
        print(f'{file}: {problem}')
    print(f'{file}: {len(descriptions.sentences)} classes, {len(problems)} problems')
    return len(problems)


def _missing(descriptions: Descriptions) -> list[str]:
    """Classes of a known data set that the file says nothing about."""
    from .vocabulary import get_vocabulary

    if descriptions.dataset not in ('voc', 'coco', 'toy'):
        return []
    classes = get_vocabulary(descriptions.dataset).classes
    return [f'{name}: not described' for name in classes if name not in descriptions.sentences]


if __name__ == '__main__':
    sys.exit(main())
