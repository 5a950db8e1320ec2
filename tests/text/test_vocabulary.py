"""The names CLIP is asked with are the reference's, letter for letter."""

from __future__ import annotations

import open_clip
import pytest
from mmengine.config import ConfigDict

from mmseg_excel.text.vocabulary import BACKGROUNDS, Vocabulary, get_vocabulary
from tests.golden.reference import golden


def test_voc_prompts_and_tokens_are_the_references():
    vocabulary = get_vocabulary('voc')
    names = [*vocabulary.prompts, *vocabulary.backgrounds]
    assert names == golden()['prompt_names'].tolist()
    assert (open_clip.tokenize(vocabulary.texts).numpy() == golden()['prompt_tokens']).all()


def test_coco_has_its_80_things_and_no_background_that_is_one_of_them():
    vocabulary = get_vocabulary('coco')
    assert len(vocabulary.classes) == 80
    assert set(BACKGROUNDS) - set(vocabulary.backgrounds) == {'keyboard', 'sign'}
    prompts = dict(zip(vocabulary.classes, vocabulary.prompts, strict=True))
    assert prompts['baseball glove'] == 'glove'
    assert prompts['tie'] == 'necktie'
    assert prompts['hair drier'] == 'hairdrier,blowdrier'
    assert prompts['snowboard'] == 'sknowboard'  # sic
    assert prompts['couch'] == 'sofa'
    assert prompts['zebra'] == 'zebra'
    assert sum(prompt != name for name, prompt in prompts.items()) == 18


def test_own_classes_need_nothing_but_their_names():
    vocabulary = get_vocabulary(
        dict(classes=['Railway Bridge', 'крыша'], prompts={'крыша': 'roof'})
    )
    assert vocabulary.classes == ('Railway Bridge', 'крыша')
    assert vocabulary.prompts == ('Railway Bridge', 'roof')
    assert set(BACKGROUNDS) - set(vocabulary.backgrounds) == {'railway', 'bridge'}
    assert get_vocabulary(vocabulary) is vocabulary
    spec = ConfigDict(classes=['Railway Bridge', 'крыша'], prompts={'крыша': 'roof'})
    assert get_vocabulary(spec) == vocabulary


@pytest.mark.parametrize(
    ('spec', 'reason'),
    [
        ('cityscapes', 'no vocabulary .cityscapes.: choose one of voc, coco, toy'),
        (dict(classes=[]), 'at least one class'),
        (dict(classes=['cat', 'cat']), 'named twice: cat'),
        (dict(classes=['cat', ' ']), "not ' '"),
        (dict(classes=['cat'], prompts={'dog': 'hound'}), "belong to no class: 'dog'"),
        (dict(names=['cat']), 'this one holds .names.'),
    ],
)
def test_malformed_vocabularies_are_refused(spec, reason):
    with pytest.raises(ValueError, match=reason):
        get_vocabulary(spec)


def test_each_class_needs_one_prompt():
    with pytest.raises(ValueError, match='one prompt name per class, not 1 for 2'):
        Vocabulary(('cat', 'dog'), ('cat',), ())
