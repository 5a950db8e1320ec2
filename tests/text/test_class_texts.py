"""Class texts from a description file to (T, C), against the reference's numbers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmseg_excel.text.class_texts import build_class_texts
from mmseg_excel.text.vocabulary import get_vocabulary
from tests.golden.reference import golden_tensor
from tests.tolerance import assert_near

VOC = get_vocabulary('voc')


@pytest.mark.parametrize(('keep_ratio', 'name'), [(0.9, 'text_attr'), (1.0, 'text_attr_no_topk')])
def test_attributes_are_the_references(encoder, description_file, tmp_path, keep_ratio, name):
    texts = build_class_texts(
        encoder,
        VOC,
        descriptions=description_file,
        num_attributes=16,
        keep_ratio=keep_ratio,
        cache_dir=tmp_path,
    )
    assert_near(texts, golden_tensor(name).T)


def test_global_texts_are_the_references_and_need_no_file(encoder):
    texts = build_class_texts(encoder, VOC, mode='global')
    assert_near(texts, golden_tensor('text_features'))
    assert encoder.read == VOC.texts


def test_fused_texts_are_the_mean_of_a_class_and_its_own_sentences(encoder, description_file):
    texts = build_class_texts(encoder, VOC, mode='fuse', descriptions=description_file)
    prompts, sentences = golden_tensor('text_features'), golden_tensor('desc_embeddings')
    own = golden_tensor('desc_class_index')
    for index in (0, 7, 19):
        everything = torch.cat([prompts[index : index + 1], sentences[own == index]])
        expected = F.normalize(everything.mean(0), dim=0)
        assert_near(texts[index], expected)
    assert_near(texts[20:], prompts[20:])


def test_a_subset_of_classes_uses_only_its_own_sentences(encoder, description_file, tmp_path):
    pets = get_vocabulary(dict(classes=['dog', 'cat'], backgrounds=['grass']))
    texts = build_class_texts(
        encoder, pets, descriptions=description_file, num_attributes=4, cache_dir=tmp_path
    )
    assert texts.shape == (3, 64)
    assert_near(texts.norm(dim=1), torch.ones(3))
    assert len(encoder.read) == 3 + 10


@pytest.mark.parametrize('mode', ['attributes', 'fuse'])
@pytest.mark.parametrize('descriptions', [None, 'no/such/file.json'])
def test_a_missing_description_file_names_both_ways_out(encoder, mode, descriptions):
    with pytest.raises(FileNotFoundError, match="(?s)Provide the file.*mode='global'"):
        build_class_texts(encoder, VOC, mode=mode, descriptions=descriptions)


def test_too_few_sentences_are_refused(encoder, description_file, tmp_path):
    with pytest.raises(ValueError, match='100 sentences cannot be clustered into 112 attributes'):
        build_class_texts(encoder, VOC, descriptions=description_file, cache_dir=tmp_path)
    assert not list(tmp_path.glob('*.npz'))


def test_an_unknown_mode_is_refused(encoder):
    with pytest.raises(ValueError, match="mode is 'fused', but must be one of 'attributes'"):
        build_class_texts(encoder, VOC, mode='fused')
