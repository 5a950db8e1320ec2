import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_excel.command_line import run
from mmseg_excel.commands.arguments.visualize import KINDS
from mmseg_excel.evaluation.map_quality import static_maps
from mmseg_excel.inference.label_map import LabelMap
from mmseg_excel.inference.subject import Subject, subjects_of_files
from mmseg_excel.models import SVCNeck
from mmseg_excel.models.affinity import last_attention
from mmseg_excel.visualization.attention import (
    attention_from,
    patch_at,
    strongest_point,
)
from mmseg_excel.visualization.attribute_responses import (
    attribute_responses,
    attributes_of,
    nearest_sentence,
)
from mmseg_excel.visualization.cam import ablation
from mmseg_excel.visualization.convergence import convergence_figure
from mmseg_excel.visualization.figure import heat_overlay, save_figure, stretched
from mmseg_excel.visualization.scalars import read_scalars
from mmseg_excel.visualization.segmentation import legend_of, own_labels
from tests.tolerance import FEATURES, assert_near


@pytest.fixture(scope='module')
def subject(inferencer, picture_file) -> Subject:
    return subjects_of_files(inferencer, [picture_file], [['dog', 'cat']])[0]


@pytest.fixture(scope='module')
def config_file(golden_cfg, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp('config') / 'golden.py'
    golden_cfg.dump(path)
    return str(path)


# What the pictures show ----------------------------------------------------------------------


def test_ablation_columns_are_the_calibrations_they_name(inferencer, subject):
    """Columns equal maps that the model's rooms make directly."""
    trace = subject.image.trace
    stages = ablation(inferencer.settings, trained=True)
    assert list(stages) == ['q-k attention', 'MaskCLIP', 'SVC', '+ TSE', '+ LVC']
    texts = inferencer.texts(inferencer.vocabulary, stages['SVC'])
    head = inferencer.model.text_head
    kept, head.class_texts = head.class_texts, texts
    try:
        for name, neck in {
            'q-k attention': SVCNeck(5, 'q-k'),
            'MaskCLIP': SVCNeck(1, 'v-v'),
            'SVC': SVCNeck(5, 'qkv'),
        }.items():
            ours = inferencer.maps(subject.image, inferencer.vocabulary, stages[name])
            assert_near(ours, static_maps(neck, head)(trace), name=name)
    finally:
        head.class_texts = kept
    dynamic = inferencer.model.class_activation_maps(subject.image.inputs, dynamic=True)
    settings = replace(stages['+ LVC'], texts='global')
    ours = inferencer.maps(subject.image, inferencer.vocabulary, settings)
    assert_near(ours, dynamic)


def test_attention_matrices_are_clips(inferencer, subject):
    """q-k times H is the sum over heads that the affinity uses; SVC's rows are distributions."""
    matrices = inferencer.correlations(subject.image)
    attention = last_attention(subject.image.trace, 1, 1)
    heads = subject.image.trace.num_heads
    assert_near(matrices['q-k'] * heads, attention[0, 0])
    for name in ('q-q', 'k-k', 'SVC'):
        assert (matrices[name].sum(dim=1) <= 1 + FEATURES).all()
    assert torch.allclose(matrices['q-q'].diagonal(), matrices['q-q'].amax(dim=1), atol=0.05)
    added = (matrices['SVC + LVC'] - matrices['SVC']).sum(dim=1)
    assert_near(added, torch.ones_like(added))


def test_a_point_finds_its_patch(subject):
    image = subject.image  # 120 x 90 pixels, 10 x 10 patches
    assert image.trace.grid == (10, 10)
    assert patch_at(image, (0, 0)) == 0
    assert patch_at(image, (119.9, 0)) == 9
    assert patch_at(image, (11.9, 9)) == 10
    with pytest.raises(ValueError, match=r'\(120, 3\) lies outside the image of 120x90'):
        patch_at(image, (120, 3))


def test_attention_from_a_point_is_that_row(subject):
    matrix = torch.zeros(100, 100)
    matrix[55, 33] = 1
    heat = attention_from(subject.image, matrix, (12 * 5 + 6, 9 * 5 + 4))
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    assert patch_at(subject.image, (x, y)) == 33


def test_the_strongest_point_is_a_patch_centre(subject):
    x, y = strongest_point(subject)
    assert x % 12 == 6 and y % 9 == 4.5
    heat = subject.ask().maps[0]
    assert heat[int(y), int(x)] > 0.9 * heat.max()


def test_attributes_are_those_the_class_resembles_most(inferencer):
    bank = inferencer.words.attribute_bank
    chosen = attributes_of(inferencer.words, 'cat', 3)
    prompt = inferencer.words.encoder(['a clean origami cat.'])[0]
    order = (bank.attributes @ prompt).argsort(descending=True)[:3].tolist()
    assert [attribute.index for attribute in chosen] == order
    index = chosen[0].index
    sentences = [s for s, c in zip(bank.sentences, bank.clusters, strict=True) if c == index]
    assert any(s.endswith(nearest_sentence(bank, index)) for s in sentences)
    with pytest.raises(ValueError, match="'disc' is none of the classes"):
        attributes_of(inferencer.words, 'disc', 3)


def test_attribute_responses_differ(subject):
    responses = attribute_responses(subject, [0, 1])
    assert responses.shape == (2, 90, 120)
    assert 0 <= responses.min() and responses.max() <= 1 + FEATURES
    assert np.abs(responses[0] - responses[1]).max() > 0.05


def test_legend_names_what_is_shown(subject):
    columns = own_labels(subject)
    assert list(columns) == ['pseudo label', 'prediction', '+ DenseCRF']
    shown = set().union(*(m.shares() for m in columns.values()))
    legend = legend_of(list(columns.values()))
    assert set(legend) == shown
    assert legend['background'] == (0, 0, 0)
    order = [columns['prediction'].classes.index(name) for name in legend]
    assert order == sorted(order)


def test_label_map_colours():
    labels = np.array([[0, 1], [2, 255]], np.uint8)
    label_map = LabelMap(labels, ('background', 'a', 'b'), ((0, 0, 0), (200, 0, 0), (0, 200, 0)))
    assert label_map.paint().tolist() == [[[0, 0, 0], [200, 0, 0]], [[0, 200, 0], [255, 255, 255]]]
    pixels = np.full((2, 2, 3), 100, np.uint8)
    overlay = label_map.overlay(pixels, opacity=0.5)
    assert overlay.tolist() == [[[100] * 3, [150, 50, 50]], [[50, 150, 50], [100] * 3]]
    assert label_map.shares() == {'background': 0.25, 'a': 0.25, 'b': 0.25}


def test_heat_gets_brighter_with_the_map():
    pixels = np.full((1, 3, 3), 128, np.uint8)
    colours = heat_overlay(np.array([[0, 0.5, 1]]), pixels).astype(int)
    assert (np.diff(colours @ [299, 587, 114], axis=1) > 0).all()
    assert np.array_equal(stretched(np.array([[2.0, 4.0]])), [[0, 1]])
    assert np.array_equal(stretched(np.full((1, 2), 3.0)), [[0, 0]])


# Files and the command line --------------------------------------------------------------------


@pytest.mark.parametrize('kind', KINDS)
def test_each_kind_draws(kind, config_file, checkpoint, picture_file, tmp_path, capsys):
    """PNG of 300 dpi, PDF whose text is text."""
    arguments = [kind, config_file, str(checkpoint), '--images', str(picture_file)]
    run('visualize', [*arguments, '--tags', 'cat,dog', '--device', 'cpu', '--out', str(tmp_path)])
    png, pdf = tmp_path / f'{kind}.png', tmp_path / f'{kind}.pdf'
    assert capsys.readouterr().out.split() == [str(png), str(pdf)]
    with Image.open(png) as picture:
        assert round(picture.info['dpi'][0]) == 300
        assert np.asarray(picture.convert('L')).std() > 20
    assert b'/FontFile2' in pdf.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == [pdf.name, png.name]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--images', 'PICTURE'], '--images need --tags'),
        (['--images', 'PICTURE', '--tags', 'cat', 'dog'], '1 images need 1 lists of tags'),
        (['--images', 'nowhere.jpg', '--tags', 'cat'], 'nowhere.jpg'),
        (['--images', 'PICTURE', '--tags', 'cat', '--point', '500', '3'], 'outside the image'),
    ],
)
def test_bad_input_exits_with_a_sentence(
    arguments, message, config_file, picture_file, tmp_path, capsys
):
    arguments = [str(picture_file) if a == 'PICTURE' else a for a in arguments]
    with pytest.raises(SystemExit) as exit_:
        run('visualize', ['attention', config_file, *arguments, '--out', str(tmp_path / 'out')])
    error = capsys.readouterr().err
    assert exit_.value.code == 2
    assert message in error and 'Traceback' not in error
    assert not (tmp_path / 'out').exists()


def test_own_words_are_asked_alone(inferencer, picture_file):
    [subject] = subjects_of_files(inferencer, [picture_file], [['red disc', 'fog']])
    assert subject.ask().pseudo_label.classes == ('background', 'red disc', 'fog')


# Curves ----------------------------------------------------------------------------------------


def _write_run(work_dir, stamp, lines):
    folder = work_dir / stamp / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text('\n'.join(lines))


@pytest.fixture
def work_dir(tmp_path):
    """A run that was killed in the middle of a line, and its continuation."""
    first = [json.dumps(dict(step=s, loss=1.0 / s)) for s in (50, 100, 150)]
    _write_run(tmp_path / 'a', '20260101', [*first, '{"mIoU": 40.0, "step": 100}', '{"mIo'])
    _write_run(
        tmp_path / 'a', '20260102', ['{"mIoU": 41.5, "step": 100}', '{"mIoU": 50, "step": 200}']
    )
    return tmp_path / 'a'


def test_scalars_of_resumed_runs_join(work_dir):
    scalars = read_scalars(work_dir)
    assert scalars['mIoU'] == {100: 41.5, 200: 50.0}
    assert list(scalars['loss']) == [50, 100, 150]


def test_convergence_draws_each_work_dir(work_dir, tmp_path):
    figure = convergence_figure([work_dir])
    [line] = figure.axes[0].lines
    assert line.get_xydata().tolist() == [[100, 41.5], [200, 50]]
    assert line.get_label() == 'a'
    run('visualize', ['convergence', str(work_dir), '--out', str(tmp_path / 'figures')])
    assert (tmp_path / 'figures/convergence.pdf').read_bytes().startswith(b'%PDF')


def test_equal_figures_are_equal_files(work_dir, tmp_path):
    for name in ('one', 'two'):
        save_figure(convergence_figure([work_dir]), tmp_path / name)
    for suffix in ('png', 'pdf'):
        first, second = ((tmp_path / f'{n}.{suffix}').read_bytes() for n in ('one', 'two'))
        assert first == second


def test_missing_scores_are_named(work_dir, tmp_path):
    with pytest.raises(ValueError, match="has no 'mDice' yet; it has loss, mIoU, step"):
        convergence_figure([work_dir], 'mDice')
    with pytest.raises(FileNotFoundError, match='holds no'):
        read_scalars(tmp_path / 'empty')
