"""The description files that ship keep every rule and cover every class."""

from __future__ import annotations

import json

import pytest

from mmseg_excel.text.descriptions import PACKAGED, load_descriptions
from mmseg_excel.text.rules import check_descriptions
from mmseg_excel.text.vocabulary import get_vocabulary


@pytest.mark.parametrize('name', ['voc', 'coco', 'toy'])
def test_shipped_sentences_keep_the_rules(name):
    classes = get_vocabulary(name).classes
    descriptions = load_descriptions(name, classes)
    assert descriptions.dataset == name
    assert check_descriptions(descriptions, classes) == []


@pytest.mark.parametrize('name', ['voc', 'coco', 'toy'])
def test_shipped_files_describe_their_classes_only_and_say_where_they_come_from(name):
    content = json.loads((PACKAGED / f'{name}.json').read_text(encoding='utf-8'))
    assert tuple(content['descriptions']) == get_vocabulary(name).classes
    assert 'written for this project' in content['provenance']['method']


@pytest.mark.parametrize('name', ['voc', 'coco'])
def test_files_for_the_papers_data_sets_say_that_they_are_not_the_papers(name):
    assert 'not the output of GPT-4' in load_descriptions(name).provenance['method']
