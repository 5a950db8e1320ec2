"""Masks in folders score as in memory; what cannot be compared is named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from mmseg_excel.datasets.masks import write_mask
from mmseg_excel.evaluation import Scores, confusion_matrix, count_pairs

from ..datasets.tools import run_tool
from .test_confusion import random_labels

NAMES = ('one', 'two', 'folder/three')


@pytest.fixture
def folders(tmp_path):
    for seed, name in enumerate(NAMES):
        truth, prediction = (labels.numpy().astype(np.uint8) for labels in pair(seed))
        write_mask(tmp_path / f'truth/{name}.png', truth)
        write_mask(tmp_path / f'labels/{name}.png', prediction)
    (tmp_path / 'classes.txt').write_text('cat\ndog\n')
    return tmp_path


def pair(seed: int):
    truth, prediction = random_labels(3, seed=seed)
    prediction[:5] = 255  # an ignore band
    return truth, prediction


def score(root, *args) -> int:
    return run_tool(
        'score_masks', root / 'labels', root / 'truth', '--classes', root / 'classes.txt', *args
    )


@pytest.mark.parametrize('workers', [1, 2])
def test_same_scores_as_in_memory(folders, capsys, workers):
    assert score(folders, '--table-dir', folders / 'scores', '--workers', workers) == 0
    pairs = sum(count_pairs(*pair(seed)) for seed in range(3))
    expected = Scores.from_confusion(confusion_matrix(pairs, 3)).means()
    content = json.loads((folders / 'scores/scores.json').read_text())
    assert {name: content[name] for name in expected} == pytest.approx(expected)
    assert f'mIoU {expected["mIoU"]:.2f}' in capsys.readouterr().out


def test_a_list_chooses_images(folders, capsys):
    (folders / 'list.txt').write_text('two\n')
    assert score(folders, '--list', folders / 'list.txt') == 0
    expected = Scores.from_confusion(confusion_matrix(count_pairs(*pair(1)), 3)).means()
    assert f'mIoU {expected["mIoU"]:.2f}' in capsys.readouterr().out


def test_true_masks_without_background(folders, capsys):
    score(folders)
    expected = capsys.readouterr().out
    for seed, name in enumerate(NAMES):
        truth = pair(seed)[0].numpy().astype(np.uint8)
        # Background becomes ignored; the scores of the others must stay what they were.
        write_mask(folders / f'truth/{name}.png', np.where(truth == 0, 255, truth))
    score(folders)
    without = capsys.readouterr().out
    assert without != expected
    for seed, name in enumerate(NAMES):
        truth = pair(seed)[0].numpy().astype(np.uint8)
        shifted = np.where(np.isin(truth, (0, 255)), 255, truth - 1).astype(np.uint8)
        write_mask(folders / f'truth/{name}.png', shifted)
    assert score(folders, '--no-background') == 0
    assert capsys.readouterr().out == without


def test_every_bad_mask_is_named(folders, capsys):
    (folders / 'truth/one.png').unlink()
    write_mask(folders / 'labels/two.png', np.zeros((3, 3), np.uint8))
    Image.new('RGB', (80, 60)).save(folders / 'labels/folder/three.png')
    assert score(folders, '--table-dir', folders / 'scores') == 2
    complaint = capsys.readouterr().err
    assert 'truth/one.png does not exist' in complaint
    assert 'labels/two.png: the prediction is (3, 3), the truth (60, 80)' in complaint
    assert 'labels/folder/three.png is a colour image' in complaint
    assert not (folders / 'scores').exists()


def test_empty_folder(folders, tmp_path, capsys):
    (tmp_path / 'empty').mkdir()
    assert run_tool('score_masks', tmp_path / 'empty', folders / 'truth') == 2
    assert 'holds no .png mask' in capsys.readouterr().err
