"""Description files: round trips and clear refusals."""

from __future__ import annotations

import json

import pytest

from mmseg_excel.text.descriptions import Descriptions, load_descriptions

SENTENCES = {'cat': ('It has fur.', 'It has «whiskers».'), 'собака': ('It has a tail.',)}


def write(path, **changes):
    content = json.loads(Descriptions('own', {'author': 'me'}, SENTENCES).to_json())
    content |= changes
    path.write_text(json.dumps(content), encoding='utf-8')
    return path


def test_what_is_written_is_read_back(tmp_path):
    written = Descriptions('own', {'author': 'me'}, SENTENCES)
    path = tmp_path / 'own.json'
    path.write_text(written.to_json(), encoding='utf-8')
    assert load_descriptions(path) == written


def test_classes_are_picked_and_ordered(tmp_path):
    path = write(tmp_path / 'own.json')
    assert list(load_descriptions(path, ['собака', 'cat']).sentences) == ['собака', 'cat']
    assert list(load_descriptions(path, ['cat']).sentences) == ['cat']


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        (dict(schema_version=2), 'schema_version 2'),
        (dict(template='a photo of a {}.'), 'written for the template .a photo'),
        (dict(dataset=None), "needs a 'dataset'"),
        (dict(provenance='me'), "needs a 'provenance'"),
        (dict(descriptions=[]), "needs a 'descriptions'"),
        (dict(descriptions={'cat': 'It has fur.'}), "'cat' needs a list"),
        (dict(descriptions={'cat': []}), "'cat' needs a list"),
        (dict(descriptions={'cat': ['It has fur.', ' ']}), "'cat' needs a list"),
        (dict(descriptions={'cat': ['It has fur.', 3]}), "'cat' needs a list"),
    ],
)
def test_malformed_files_are_refused_by_name(tmp_path, changes, reason):
    path = write(tmp_path / 'own.json', **changes)
    with pytest.raises(ValueError, match=reason) as error:
        load_descriptions(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize('content', [b'{"schema_version": 1,', b'', b'\xff\xfe', b'[]', b'null'])
def test_broken_json_is_refused_by_name(tmp_path, content):
    path = tmp_path / 'own.json'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='own.json'):
        load_descriptions(path)


def test_a_missing_class_is_named(tmp_path):
    with pytest.raises(ValueError, match="describes no 'dog'; it describes cat, собака"):
        load_descriptions(write(tmp_path / 'own.json'), ['cat', 'dog'])


@pytest.mark.parametrize('source', ['nowhere', 'dir/voc', '../descriptions/none.json', ''])
def test_a_missing_file_names_both_ways_out(source):
    with pytest.raises(FileNotFoundError, match="(?s)Provide the file.*mode='global'"):
        load_descriptions(source)


def test_bare_names_mean_packaged_files():
    assert list(load_descriptions('voc').sentences)[0] == 'aeroplane'
