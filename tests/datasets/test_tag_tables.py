from __future__ import annotations

import json

import pytest

from mmseg_excel.datasets.tag_sources import TableTags
from mmseg_excel.datasets.tag_tables import read_tag_table, write_tag_table

TABLE = {'cats/one.jpg': ['cat', 'dining table'], 'ö 2.png': [], 'x,y.jpg': ['"quoted"']}


def _csv(path):
    path.write_text(
        'image,tags\ncats/one.jpg,cat; dining table\nö 2.png,\n"x,y.jpg","""quoted"""\n'
    )


def _json(path):
    path.write_text(json.dumps(TABLE))


def _json_list(path):
    rows = [dict(image=image, tags=tags, note='kept by nobody') for image, tags in TABLE.items()]
    path.write_text(json.dumps(rows))


def _jsonl(path):
    rows = [json.dumps(dict(image=image, tags=tags)) for image, tags in TABLE.items()]
    path.write_text('\n'.join(rows) + '\n\n')


@pytest.mark.parametrize(
    ('name', 'write'),
    [('t.csv', _csv), ('t.json', _json), ('t.json', _json_list), ('t.jsonl', _jsonl)],
)
def test_every_spelling_reads_the_same(tmp_path, name, write):
    write(tmp_path / name)
    assert read_tag_table(tmp_path / name) == TABLE
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(b'\xef\xbb\xbf' + content)  # as spreadsheets save it
    assert read_tag_table(tmp_path / name) == TABLE


def test_round_trip(tmp_path):
    for table in (TABLE, {}):
        write_tag_table(tmp_path / 'tags.json', table)
        assert read_tag_table(tmp_path / 'tags.json') == table
        assert [path.name for path in tmp_path.iterdir()] == ['tags.json']


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('t.txt', '', 'is a .csv, .json or .jsonl file'),
        ('t.csv', 'a.jpg,cat\n', 'must name the columns'),
        ('t.csv', 'image,tags\na.jpg,cat\n,dog\n,cow\n', r'without an image \(2\): line 3, line 4'),
        ('t.csv', 'image,tags\na.jpg,cat\na.jpg,dog\n', r'listed twice \(1\): a.jpg'),
        ('t.json', '{"a.jpg": ["cat"], "a.jpg": []}', r'listed twice \(1\): a.jpg'),
        ('t.json', '{"a.jpg": "cat"}', r'not a list of names \(1\).*a.jpg'),
        ('t.json', '{"a.jpg": [3]}', 'not a list of names'),
        ('t.json', '3', 'must hold an object'),
        ('t.json', '[3]', r'without an image \(1\): entry 1'),
        ('t.json', '{"a.jpg": [', 'is not a .json file'),
        ('t.jsonl', '{"image": "a.jpg", "tags": []}\n{"tags": []}\n', 'without an image.*line 2'),
        ('t.jsonl', '{"image": \n', 'is not a .jsonl file'),
    ],
)
def test_bad_tables_are_explained(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_tag_table(tmp_path / name)
    assert name in str(caught.value)


def test_not_text_and_missing(tmp_path):
    (tmp_path / 't.csv').write_bytes(b'image,tags\n\xff\xfe\n')
    with pytest.raises(ValueError, match='is not UTF-8'):
        read_tag_table(tmp_path / 't.csv')
    with pytest.raises(FileNotFoundError, match="no table of tags '.*no.json'"):
        read_tag_table(tmp_path / 'no.json')


def test_table_as_a_source_of_tags(tmp_path):
    _json(tmp_path / 't.json')
    source = TableTags(file='t.json', root=str(tmp_path), classes=())
    assert source('cats/one') == source('cats/one.jpg') == TABLE['cats/one.jpg']
    with pytest.raises(FileNotFoundError, match='two in .*t.json'):
        source('two')
