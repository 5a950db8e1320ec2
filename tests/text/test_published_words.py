"""The reference's own words: its description file and its attribute bank, in their formats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmseg.registry import MODELS

from mmseg_excel.text.attribute_bank import get_attribute_bank, save_bank
from mmseg_excel.text.class_texts import all_texts, build_class_texts
from mmseg_excel.text.descriptions import load_descriptions
from mmseg_excel.text.vocabulary import VOC_PROMPTS, get_vocabulary
from mmseg_excel.text.wordbook import Wordbook
from mmseg_excel.utils.bad_input import BadInput
from tests.golden.model import golden_config
from tests.golden.reference import golden, golden_tensor
from tests.tolerance import assert_near

VOC = get_vocabulary('voc')
FILE = Path(__file__).parents[1] / 'golden/voc/descriptions_voc.json'


@pytest.fixture
def bank_file(tmp_path) -> Path:
    """As the reference saves it: centroids (C, K), and which class has a sentence in which."""
    path = tmp_path / 'pascal_voc_desc_clip_ViT-B-16_gpt4.0_cluster_16_embedding_bank.pth'
    torch.save([golden_tensor('attr_bank'), golden_tensor('attr_flag').float()], path)
    return path


def test_its_descriptions_are_read_as_they_are(encoder, tmp_path):
    described = load_descriptions(FILE, VOC.classes)
    assert all_texts(described) == golden()['desc_sentences'].tolist()
    texts = build_class_texts(
        encoder, VOC, descriptions=FILE, num_attributes=16, cache_dir=tmp_path
    )
    assert_near(texts, golden_tensor('text_attr').T)


def test_its_classes_may_have_the_names_clip_is_asked_with(tmp_path):
    content = json.loads(FILE.read_text())
    renamed = {VOC_PROMPTS.get(name, name): lines for name, lines in content.items()}
    (tmp_path / 'renamed.json').write_text(json.dumps(renamed))
    ours = load_descriptions(tmp_path / 'renamed.json', VOC.classes, VOC.prompts)
    assert tuple(ours.sentences) == VOC.classes
    assert all_texts(ours) == golden()['desc_sentences'].tolist()


def test_its_attribute_bank_gives_its_texts(encoder, bank_file):
    texts = build_class_texts(encoder, VOC, bank=bank_file, num_attributes=16)
    assert_near(texts, golden_tensor('text_attr').T)
    assert encoder.read == VOC.texts  # no sentence


def test_a_bank_of_ours_gives_the_same_as_its_sentences(encoder, tmp_path):
    sentences = all_texts(load_descriptions(FILE, VOC.classes))
    save_bank(get_attribute_bank(encoder, sentences, 16, tmp_path), tmp_path / 'bank.npz')
    settings = dict(num_attributes=16, cache_dir=tmp_path)
    from_bank = build_class_texts(encoder, VOC, bank=tmp_path / 'bank.npz', **settings)
    assert torch.equal(from_bank, build_class_texts(encoder, VOC, descriptions=FILE, **settings))


def test_a_model_takes_the_bank_and_says_so(bank_file):
    config = golden_config(
        text_head__mode='attributes', text_head__bank=str(bank_file), text_head__num_attributes=16
    )
    model = MODELS.build(config)
    model.text_head.check_texts()
    model.encode_classes()
    assert_near(model.text_head.class_texts, golden_tensor('text_attr').T)
    origin = model.text_head.origin
    assert set(origin) == {'encoder', 'attributes'}
    other = MODELS.build(config)
    other.load_state_dict(model.state_dict())
    assert other.text_head.origin == origin


@pytest.mark.parametrize('weight', [1.0, 2.0])
def test_any_question_hunts_in_the_bank_too(encoder, bank_file, weight):
    words = Wordbook(lambda: encoder, VOC, None, 16, bank_file)
    asked = words.texts(VOC, 'attributes', attribute_weight=weight)
    settings = dict(bank=bank_file, num_attributes=16, attribute_weight=weight)
    assert torch.equal(asked, build_class_texts(encoder, VOC, **settings))


def test_any_question_reads_descriptions_under_clips_names(encoder, tmp_path, monkeypatch):
    monkeypatch.setenv('MMSEG_EXCEL_CACHE', str(tmp_path))
    content = json.loads(FILE.read_text())
    renamed = {VOC_PROMPTS.get(name, name): lines for name, lines in content.items()}
    (tmp_path / 'renamed.json').write_text(json.dumps(renamed))
    words = Wordbook(lambda: encoder, VOC, str(tmp_path / 'renamed.json'), 16)
    assert_near(words.texts(VOC, 'attributes'), golden_tensor('text_attr').T)


class Payload:
    """What pickle would run."""

    def __reduce__(self):
        return (exec, ('raise SystemExit("executed")',))


def pair(rows=20, width=64, count=16, value=0.1):
    return [torch.full((width, count), value), torch.ones(rows, count)]


@pytest.mark.parametrize(
    ('content', 'sentence'),
    [
        (pair(rows=80), 'was made for 80 classes, but the vocabulary has 20'),
        (pair(width=512), 'is 512 wide, but CLIP embeds texts in 64 dimensions'),
        (pair(count=112), 'num_attributes is 16, but the attribute bank .* set it to 112'),
        (pair(value=float('nan')), 'not finite centroids'),
        ([torch.ones(64, 16), torch.ones(20, 15)], r'\(64, 16\) and \(20, 15\), are not'),
        (torch.ones(64), 'is no attribute bank of the reference'),
        ([1, 2], 'is no attribute bank of the reference'),
        ({'bank': torch.ones(64, 16)}, 'is no attribute bank of the reference'),
        (Payload(), 'is no attribute bank of the reference'),
        (b'nothing of the kind', 'is no attribute bank of the reference'),
    ],
)
def test_a_bank_that_does_not_fit_is_refused(encoder, tmp_path, content, sentence):
    path = tmp_path / 'bank.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(BadInput, match=sentence) as refused:
        build_class_texts(encoder, VOC, bank=path, num_attributes=16)
    assert '\n' not in str(refused.value)


def test_a_bank_that_is_not_there_is_named(encoder):
    with pytest.raises(FileNotFoundError, match="no attribute bank 'nowhere.pth'"):
        build_class_texts(encoder, VOC, bank='nowhere.pth', num_attributes=16)


def test_classes_that_its_file_does_not_describe_are_named():
    with pytest.raises(BadInput, match="describes no 'windmill'"):
        load_descriptions(FILE, ['cat', 'windmill'])
