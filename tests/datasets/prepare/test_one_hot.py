"""Pickled one-hot dictionaries become tables, and cannot run anything on the way."""

from __future__ import annotations

import io
import os
import pickle

import numpy as np
import pytest

from mmseg_excel.datasets.prepare.one_hot import read_one_hot
from mmseg_excel.datasets.tag_tables import read_tag_table
from mmseg_excel.text.vocabulary import VOC_CLASSES

from ..tools import run_tool

TAGS = {'2007_000032': ['aeroplane', 'person'], '2007_000039': ['tvmonitor'], '2008_000008': []}


def one_hot(tags: list[str]) -> np.ndarray:
    return np.isin(VOC_CLASSES, tags).astype(np.float32)


def write_pickled(path, content: object, protocol: int = 3) -> None:
    """As numpy writes object arrays, but with any pickle protocol."""
    array = np.empty((), object)
    array[()] = content
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    path.write_bytes(header.getvalue() + pickle.dumps(array, protocol))


def test_the_usual_file(tmp_path, capsys):
    np.save(tmp_path / 'labels.npy', {name: one_hot(tags) for name, tags in TAGS.items()})
    target = tmp_path / 'tags.json'
    assert run_tool('convert_tags', tmp_path / 'labels.npy', target) == 0
    assert read_tag_table(target) == TAGS
    assert 'is a pickle' in capsys.readouterr().err


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_pickle_protocol_and_numeric_names(tmp_path, protocol):
    content = {int(name.replace('_', '')): one_hot(tags) for name, tags in TAGS.items()}
    write_pickled(tmp_path / 'labels.npy', content, protocol)
    assert read_one_hot(tmp_path / 'labels.npy', VOC_CLASSES) == TAGS


class Malice:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_hidden_code_is_refused_and_not_run(tmp_path, capsys):
    write_pickled(tmp_path / 'labels.npy', {'2007_000032': Malice(tmp_path / 'pwned')})
    assert run_tool('convert_tags', tmp_path / 'labels.npy', tmp_path / 'tags.json') == 2
    complaint = capsys.readouterr().err
    assert 'refused to run' in complaint and 'mkdir' in complaint
    assert sorted(path.name for path in tmp_path.iterdir()) == ['labels.npy']


def test_every_bad_entry_is_named(tmp_path):
    content = dict(good=one_hot([]), short=np.zeros(3), grey=np.full(20, 0.5), nothing=None)
    np.save(tmp_path / 'labels.npy', content)
    with pytest.raises(ValueError) as caught:
        read_one_hot(tmp_path / 'labels.npy', VOC_CLASSES)
    message = str(caught.value)
    assert 'short (3,), nothing ()' in message and 'than 0 and 1 (1): grey' in message
    assert 'good' not in message


@pytest.mark.parametrize(
    ('write', 'reason'),
    [
        (lambda path: path.write_text('hello'), 'is not a .npy file of a dictionary'),
        (lambda path: np.save(path, np.zeros(3)), 'holds no dictionary'),
        (lambda path: write_pickled(path, [1, 2]), 'holds no dictionary'),
        (lambda path: write_pickled(path, 'x' * 90), 'holds no dictionary'),
    ],
)
def test_other_files(tmp_path, write, reason):
    write(tmp_path / 'labels.npy')
    with pytest.raises(ValueError, match=reason):
        read_one_hot(tmp_path / 'labels.npy', VOC_CLASSES)


def test_class_files_and_bad_targets(tmp_path, capsys):
    np.save(tmp_path / 'labels.npy', {'a': np.array([0, 1])})
    (tmp_path / 'classes.txt').write_text('rust\ncrack\n')
    command = ('convert_tags', tmp_path / 'labels.npy', tmp_path / 'tags.json', '--classes')
    assert run_tool(*command, tmp_path / 'classes.txt') == 0
    assert read_tag_table(tmp_path / 'tags.json') == {'a': ['crack']}
    assert run_tool(*command, tmp_path / 'nowhere.txt') == 2
    assert run_tool('convert_tags', tmp_path / 'labels.npy', tmp_path / 'tags.csv') == 2
    assert 'written as .json' in capsys.readouterr().err
