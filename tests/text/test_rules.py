"""Every rule refuses what it is there for, and nothing else."""

from __future__ import annotations

import json

import pytest

from mmseg_excel.text.descriptions import find_descriptions, load_descriptions
from mmseg_excel.text.rules import check_descriptions, check_sentences, count_tokens, main

CLASSES = ['cat', 'dog', 'horse', 'diningtable', 'orange', 'bear', 'teddy bear', 'hot dog', 'bus']
GOOD = list(load_descriptions('voc').sentences['cat'])


def problems_of(sentence, name='cat'):
    """Problems of twenty good sentences after one of them was replaced."""
    return check_sentences(name, [sentence, *GOOD[1:]], CLASSES)


def test_good_sentences_have_no_problems():
    assert check_sentences('cat', GOOD, CLASSES) == []


@pytest.mark.parametrize(
    ('sentence', 'problem'),
    [
        ('Soft grey fur and ears.', '5 words, not 8 to 25'),
        (' '.join(['fur'] * 26) + '.', '26 words, not 8 to 25'),
        ('The tail curls around the feet\nwhile it sits upright.', 'not one line'),
        ('The tail curls around  the feet while it sits upright.', 'not one line'),
        ('See https://example.org <b>for more</b> about its tail and fur.', 'not one line'),
        ('A clean origami shape with two pointed ears and a tail.', 'names the template'),
        ('The tail was curled around the feet on the sofa.', 'present tense (was)'),
        ('It smells of warm fur and sleeps on a cushion.', 'something visible (smells)'),
        (
            '90817263 ' * 9 + 'fur on its long tail.',
            'tokens with the template',
        ),
    ],
)
def test_a_bad_sentence_is_refused_with_the_reason(sentence, problem):
    (found,) = problems_of(sentence)
    assert problem in found
    assert ' '.join(sentence.split()) in found


@pytest.mark.parametrize('count', [0, 1, 19, 21])
def test_there_must_be_twenty(count):
    sentences = (GOOD + ['Extra whiskers spread out from both sides of the muzzle.'])[:count]
    assert f'there are {count} sentences, not 20' in check_sentences('cat', sentences, CLASSES)


@pytest.mark.parametrize(
    ('name', 'sentence'),
    [
        ('cat', 'It is a small dog with soft fur and ears.'),
        ('cat', 'The dog has a wagging tail and two floppy ears.'),
        ('cat', "A dog's floppy ears hang down beside its narrow head."),
        ('cat', 'Dogs with short brown fur usually lie in the sun.'),
        ('cat', 'Dining tables are flat and wide, with four straight legs.'),
        ('cat', 'This kind of tall horse is often seen on a green meadow.'),
        ('bear', 'The teddy bear is soft and has two round button eyes.'),
        ('dog', 'It is a long hot dog in a soft split white bun.'),
    ],
)
def test_another_class_is_not_described(name, sentence):
    assert any('as if it were this one' in problem for problem in problems_of(sentence, name))


@pytest.mark.parametrize(
    ('name', 'sentence'),
    [
        ('cat', 'Smaller than a dog, it walks on short thin legs.'),
        ('cat', 'It is a little smaller than a dog, with softer fur.'),
        ('cat', 'Orange stripes run along the back and around the tail.'),
        ('cat', 'It is a bright orange animal with a white pointed chin.'),
        ('teddy bear', 'The teddy bear is soft and has two round button eyes.'),
        ('hot dog', 'The hot dog is held by a soft split white bun.'),
        ('cat', 'Bus seats with torn covers make room for its curled body.'),
    ],
)
def test_another_class_may_be_mentioned(name, sentence):
    assert problems_of(sentence, name) == []


@pytest.mark.parametrize(
    'again',
    [
        'Two wide green eyes shine brightly in the dark round face.',
        'TWO wide, green eyes shine brightly in the dark, round face.',
        'In the dark round face, two very wide green eyes shine.',
    ],
)
def test_repeats_and_near_repeats_are_found(again):
    first = 'Two wide green eyes shine brightly in the dark round face.'
    (problem,) = check_sentences('cat', [first, again, *GOOD[2:]], CLASSES)
    assert problem == f'says nearly the same as "{first}": "{again}"'


def test_tokens_are_counted_as_clip_counts_them():
    assert count_tokens('a clean origami bird.') == 7
    assert count_tokens('') == 2


def test_sentences_of_own_length_fill_clips_context():
    """A long class name leaves less room; the rule counts it."""
    name = 'very ' * 62 + 'old cat'
    assert any('tokens with the template' in problem for problem in problems_of(GOOD[0], name))


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    content = json.loads(find_descriptions('voc').read_text(encoding='utf-8'))
    content['descriptions']['cow'][3] = 'Two horns.'
    del content['descriptions']['sofa']
    path = tmp_path / 'voc.json'
    path.write_text(json.dumps(content))
    assert main([str(path)]) == 1
    out = capsys.readouterr().out
    assert 'sofa: not described' in out
    assert 'cow: 2 words, not 8 to 25: "Two horns."' in out
    assert '19 classes, 2 problems' in out


def test_the_command_passes_good_files_and_refuses_missing_ones(capsys):
    assert main(['voc']) == 0
    assert main(['no/such.json']) == 2
    assert "There is no description file 'no/such.json'" in capsys.readouterr().err


def test_a_knowledge_base_names_the_class_of_each_problem():
    words = load_descriptions('voc', ['cat', 'dog'])
    words.sentences['dog'] = words.sentences['dog'][:19]
    assert check_descriptions(words) == ['dog: there are 19 sentences, not 20']
