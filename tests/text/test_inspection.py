"""The report is consistent with the texts it explains; the tools print and draw it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import pytest
import torch

from mmseg_excel.text.attribute_bank import load_bank
from mmseg_excel.text.attributes import hunting_weights
from mmseg_excel.text.class_texts import build_class_texts
from mmseg_excel.text.inspection import inspect_texts
from mmseg_excel.text.vocabulary import VOC_CLASSES, get_vocabulary
from mmseg_excel.visualization.attribute_weights import save_attribute_weights
from tests.golden.model import MODEL_NAME, tiny_clip_file
from tests.golden.reference import golden_tensor
from tests.tolerance import FEATURES, assert_near

TOOLS = Path(__file__).parents[2] / 'tools'


@pytest.fixture
def report(encoder, description_file, tmp_path):
    return inspect_texts(
        encoder,
        get_vocabulary('voc'),
        descriptions=description_file,
        num_attributes=16,
        cache_dir=tmp_path,
    )


def test_the_report_explains_the_texts_that_are_used(report, encoder, description_file, tmp_path):
    texts = build_class_texts(
        encoder,
        get_vocabulary('voc'),
        descriptions=description_file,
        num_attributes=16,
        cache_dir=tmp_path,
    )
    assert torch.equal(report.enriched, texts[:20])
    golden_weights = hunting_weights(
        golden_tensor('text_features')[:20], golden_tensor('attr_bank').T
    )
    assert_near(report.weights, golden_weights)


def test_nearest_sentences_are_the_clusters_own_and_sorted(report):
    for attribute in range(16):
        nearest = report.nearest_sentences(attribute, count=100)
        indices = [report.bank.sentences.index(sentence) for sentence in nearest]
        assert set(indices) == set((report.bank.clusters == attribute).nonzero().flatten().tolist())
        gaps = report.bank.embeddings[indices] - report.bank.attributes[attribute]
        assert (gaps.norm(dim=1).diff() >= -FEATURES).all()
        assert report.nearest_sentences(attribute) == nearest[:3]


def test_hunters_and_hunted_are_rows_and_columns_of_the_weights(report):
    for name in ('aeroplane', 'tvmonitor'):
        row = report.weights[VOC_CLASSES.index(name)]
        hunted = report.hunted(name)
        assert len(hunted) == 15
        assert sum(weight for _, weight in hunted) == pytest.approx(1, abs=FEATURES)
        assert hunted == sorted(hunted, key=lambda pair: -pair[1])
        assert all(weight == row[attribute] for attribute, weight in hunted)
    hunters = [report.hunters(attribute, count=20) for attribute in range(16)]
    assert [len(takers) for takers in hunters] == (report.weights > 0).sum(0).tolist()
    (name, weight), *_ = report.hunters(3)
    assert weight == report.weights[:, 3].max() == report.weights[VOC_CLASSES.index(name), 3]


def test_confusable_classes_are_the_nearest_others(report):
    before, after = report.confusable('cat', count=19)
    assert 'cat' not in dict(before) and len(before) == 19
    for nearest, texts in ((before, report.prompts), (after, report.enriched)):
        cosines = dict(zip(VOC_CLASSES, (texts @ texts[7]).tolist(), strict=True))
        assert nearest[0][1] == max(cosine for _, cosine in nearest)
        assert all(cosine == pytest.approx(cosines[name], abs=FEATURES) for name, cosine in nearest)


def test_the_picture_shows_kept_weights_in_colour_and_dropped_ones_in_grey(tmp_path):
    weights = torch.tensor([[0.7, 0.3, 0.0], [0.0, 0.4, 0.6]])
    save_attribute_weights(weights, ['cat', '$x_'], tmp_path / 'a.png')
    save_attribute_weights(weights.flip(1), ['cat', '$x_'], tmp_path / 'b.png')
    picture = cv2.imread(str(tmp_path / 'a.png'))
    grey = (picture == round(0.85 * 255)).all(2).mean()
    yellow = (picture == (36, 231, 253)).all(2).mean()  # the largest weight, in BGR
    assert 0.05 < grey < 0.4 and 0.03 < yellow < 0.3
    assert (tmp_path / 'a.png').read_bytes() == (tmp_path / 'b.png').read_bytes()


# ------------------------------------------------------------------------------------- the tools


def load_tool(name):
    spec = importlib.util.spec_from_file_location(name, TOOLS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def config(tmp_path, description_file, monkeypatch):
    monkeypatch.setenv('MMSEG_EXCEL_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('COLUMNS', '200')
    path = tmp_path / 'config.py'
    path.write_text(
        'model = dict(\n'
        f'    backbone=dict(model={MODEL_NAME!r}, pretrained={tiny_clip_file()!r}),\n'
        f'    text_head=dict(vocabulary="voc", descriptions={str(description_file)!r},\n'
        '                   num_attributes=16))\n'
    )
    return str(path)


def test_build_attributes_writes_the_golden_bank_twice_the_same(config, tmp_path, capsys):
    main = load_tool('build_attributes').main
    for name in ('a.npz', 'b.npz'):
        main([config, '--out', str(tmp_path / name)])
    bank = load_bank(tmp_path / 'a.npz')
    assert_near(bank.attributes, golden_tensor('attr_bank').T)
    (cached,) = (tmp_path / 'cache').iterdir()
    content = cached.read_bytes()
    assert (tmp_path / 'a.npz').read_bytes() == (tmp_path / 'b.npz').read_bytes() == content
    table = capsys.readouterr().out
    assert 'a clean origami bottle.' in table and 'hunted most by' in table


def test_inspect_text_shows_the_classes_asked_for(config, tmp_path, capsys):
    picture = tmp_path / 'weights.png'
    load_tool('inspect_text').main([config, '--classes', 'cat', '--picture', str(picture)])
    printed = capsys.readouterr().out
    assert 'cat: 15 attributes kept, 1 dropped' in printed
    assert 'dog: ' not in printed
    assert cv2.imread(str(picture)).shape[0] > 100


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (['--classes', 'unicorn'], "There is no class 'unicorn'; there are aeroplane"),
        (['--cfg-options', 'model.text_head.descriptions=none.json'], 'no description file'),
        (['--cfg-options', 'model.text_head.num_attributes=101'], '100 sentences cannot be'),
        (
            ['--cfg-options', 'model.text_head.keep_ratio=0'],
            'keep_ratio is 0, but must be',
        ),
        (['--cfg-options', 'model.backbone.pretrained=none.pt'], 'none.pt'),
    ],
)
def test_bad_input_is_one_sentence_and_no_picture(config, tmp_path, capsys, options, reason):
    picture = tmp_path / 'weights.png'
    with pytest.raises(SystemExit) as stop:
        load_tool('inspect_text').main([config, '--picture', str(picture), *options])
    assert stop.value.code == 2
    assert reason in capsys.readouterr().err
    assert not picture.exists()


def test_a_config_without_a_model_is_refused(tmp_path, capsys):
    (tmp_path / 'config.py').write_text('x = 1\n')
    with pytest.raises(SystemExit):
        load_tool('build_attributes').main([str(tmp_path / 'config.py')])
    assert 'holds no ExCEL model' in capsys.readouterr().err
