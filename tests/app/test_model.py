import json
from pathlib import Path

import pytest

from mmseg_excel.app.desk import Desk
from mmseg_excel.app.examples import toy_scenes
from mmseg_excel.app.model import load_model
from mmseg_excel.command_line import run
from mmseg_excel.text.descriptions import PACKAGED, Descriptions

SENTENCES = {'cat': ('It has fur.', 'It has whiskers.'), 'grass blade': ('It is thin.',)}


@pytest.fixture
def own_file(tmp_path) -> Path:
    path = tmp_path / 'own.json'
    path.write_text(Descriptions('own', {}, SENTENCES).to_json(), encoding='utf-8')
    return path


def test_without_weights_it_is_the_toy_world(free_desk):
    assert 'Toy world' in free_desk.inferencer.notice
    assert not free_desk.inferencer.trained


def test_described_classes_become_the_models(own_file):
    inferencer = load_model(descriptions=own_file, device='cpu')
    assert inferencer.vocabulary.classes == tuple(SENTENCES)
    assert 'grass' not in inferencer.vocabulary.backgrounds
    assert 'sea' in inferencer.vocabulary.backgrounds
    desk = Desk(inferencer)
    pixels = toy_scenes(1)[0].image
    reply = desk.ask(pixels, ['grass blade'], ['sea'], inferencer.settings)
    assert 'Attributes from descriptions' in reply.remark


def test_other_words_for_the_same_classes_keep_the_vocabulary(free_desk, desk, tmp_path):
    content = json.loads((PACKAGED / 'toy.json').read_text())
    content['descriptions']['cat'] = ['something else entirely']
    (tmp_path / 'toy.json').write_text(json.dumps(content))
    inferencer = load_model(descriptions=tmp_path / 'toy.json', device='cpu')
    assert inferencer.vocabulary == free_desk.inferencer.vocabulary
    assert any('entirely' in text for text in inferencer.words.attribute_bank.sentences)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['excel_mars'], "no config 'excel_mars'"),
        (['--checkpoint', 'no.pth'], "no checkpoint 'no.pth'"),
        (['--pretrained', 'no.pt'], "'no.pt'"),
        (['--descriptions', 'no.json'], "no description file 'no.json'"),
    ],
)
def test_bad_arguments_are_one_sentence(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        run('app', [*arguments, '--device', 'cpu'])
    error = capsys.readouterr().err
    assert exit_.value.code == 2
    assert message in error and 'Traceback' not in error
