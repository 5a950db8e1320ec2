"""The bank's cache: read when it holds the same content, built again otherwise."""

from __future__ import annotations

import os

import pytest
import torch

from mmseg_excel.text import attribute_bank
from mmseg_excel.text.attribute_bank import (
    bank_path,
    default_cache_dir,
    get_attribute_bank,
    load_bank,
)
from tests.golden.reference import golden

SENTENCES = golden()['desc_sentences'].tolist()[:20]


def test_the_second_bank_is_read_and_equal(encoder, tmp_path):
    built = get_attribute_bank(encoder, SENTENCES, 4, tmp_path)
    assert encoder.read == SENTENCES
    again = get_attribute_bank(encoder, SENTENCES, 4, tmp_path)
    assert encoder.read == SENTENCES, 'the cached bank was not used'
    for field in ('attributes', 'clusters', 'embeddings'):
        assert torch.equal(getattr(built, field), getattr(again, field))
    assert built.sentences == again.sentences
    assert built.provenance == again.provenance
    assert again.provenance['encoder'] == encoder.fingerprint


def test_equal_input_gives_equal_bytes_and_no_litter(encoder, tmp_path):
    for directory in ('a', 'b'):
        get_attribute_bank(encoder, SENTENCES, 4, tmp_path / directory)
    (first,), (second,) = (list((tmp_path / name).iterdir()) for name in 'ab')
    assert first.name == second.name == bank_path(encoder, SENTENCES, 4, '.').name
    assert first.read_bytes() == second.read_bytes()


def test_anything_that_matters_changes_the_key(encoder, monkeypatch):
    paths = {bank_path(encoder, SENTENCES, 4)}
    paths.add(bank_path(encoder, SENTENCES[::-1], 4))
    paths.add(bank_path(encoder, [*SENTENCES[:-1], 'another.'], 4))
    paths.add(bank_path(encoder, SENTENCES, 5))
    monkeypatch.setattr(encoder, 'fingerprint', 'other', raising=False)
    paths.add(bank_path(encoder, SENTENCES, 4))
    monkeypatch.setattr(attribute_bank, 'version', lambda package: '0')
    paths.add(bank_path(encoder, SENTENCES, 4))
    assert len(paths) == 6


@pytest.mark.parametrize('damage', [lambda b: b'', lambda b: b[: len(b) // 2], lambda b: b'x' * 99])
def test_a_damaged_cache_is_built_again(encoder, tmp_path, damage):
    built = get_attribute_bank(encoder, SENTENCES, 4, tmp_path)
    path = bank_path(encoder, SENTENCES, 4, tmp_path)
    content = path.read_bytes()
    path.write_bytes(damage(content))
    with pytest.raises(ValueError, match='not an attribute bank'):
        load_bank(path)
    with pytest.warns(UserWarning, match='built again'):
        again = get_attribute_bank(encoder, SENTENCES, 4, tmp_path)
    assert torch.equal(built.attributes, again.attributes)
    assert path.read_bytes() == content


def test_a_cache_that_cannot_be_written_only_costs_time(encoder, tmp_path):
    (tmp_path / 'file').write_text('in the way')
    with pytest.warns(UserWarning, match='not cached'):
        bank = get_attribute_bank(encoder, SENTENCES, 4, tmp_path / 'file' / 'cache')
    assert bank.attributes.shape == (4, 64)


def test_the_cache_lies_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv('MMSEG_EXCEL_CACHE', str(tmp_path))
    assert default_cache_dir() == tmp_path
    monkeypatch.delenv('MMSEG_EXCEL_CACHE')
    assert str(default_cache_dir()) == os.path.expanduser('~/.cache/mmseg_excel')
