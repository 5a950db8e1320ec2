"""Tables in the papers' column order, and files that can be read back."""

from __future__ import annotations

import csv
import io
import json

import pytest
import torch

from mmseg_excel.datasets import VOCTagsDataset
from mmseg_excel.evaluation import Report, Scores, confusion_matrix, count_pairs
from mmseg_excel.evaluation.published import PUBLISHED

from .test_confusion import random_labels

VOC = VOCTagsDataset.METAINFO['classes']
# The heads of the ExCEL supplement's Tables 3 and 4.
COLUMNS = (
    'Methods bkg aero bike bird boat bottle bus car cat chair cow table dog horse motor person '
    'plant sheep sofa train tv'
).split()


def scores(num_classes: int, missing: int = 0) -> Scores:
    """Of random labels; the last ``missing`` classes appear nowhere."""
    truth, prediction = random_labels(num_classes - missing)
    return Scores.from_confusion(confusion_matrix(count_pairs(truth, prediction), num_classes))


@pytest.fixture
def report() -> Report:
    return Report(scores(21), VOC, 'voc_val', method='toy & co')


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_columns_and_rows_are_the_papers(report):
    table = rows(report.table('iou').csv())
    assert table[0] == [*COLUMNS, 'mIoU']
    assert rows(report.table('confusion').csv())[0] == [*COLUMNS, 'mCR']
    assert len(table) == 1 + 14 + 1
    by_method = {row[0]: row[1:] for row in table}
    assert by_method['ExCEL'][0] == '94.1' and by_method['ExCEL'][-1] == '78.4'
    assert by_method['ExCEL'][COLUMNS.index('sofa') - 1] == '64.1'
    ratios = {row[0]: row[1:] for row in rows(report.table('confusion').csv())}
    assert ratios['ExCEL'][COLUMNS.index('bike') - 1] == '1.14' and ratios['ExCEL'][-1] == '0.20'


def test_our_row_is_our_scores(report):
    *_, ours = rows(report.table('iou').csv())
    assert ours[0] == 'toy & co'
    expected = [*(100 * report.scores.iou).tolist(), report.scores.means()['mIoU']]
    assert [float(cell) for cell in ours[1:]] == pytest.approx(expected, abs=0.051)
    *_, ours = rows(report.table('precision').csv())
    assert float(ours[1]) == pytest.approx(float(100 * report.scores.precision[0]), abs=0.051)


@pytest.mark.parametrize('score', ['iou', 'confusion'])
def test_published_rows_average_to_their_printed_mean(score):
    for method, values in PUBLISHED['voc_val'][score]:
        assert len(values) == 22
        if method != "CDA CVPR'2021":  # printed with a slip
            mean = sum(values[:-1]) / 21
            assert mean == pytest.approx(values[-1], abs=0.3 if score == 'iou' else 0.012)


def test_latex_has_every_cell_and_no_raw_characters(report):
    lines = report.table('iou').latex().splitlines()
    assert lines[0] == r'\begin{tabular}{lcccccccccccccccccccccc}'
    body = [line for line in lines if line.endswith(r'\\')]
    assert all(line.replace(r'\&', '').count('&') == 22 for line in body)
    assert body[-1].startswith(r'toy \& co & ')


def test_terminal_shows_classes_and_the_papers_tables(report):
    text = report.terminal()
    assert 'aeroplane' in text and "SeCo CVPR'2024" in text and "AdvCAM CVPR'21" in text
    assert 'SeCo' not in Report(report.scores, VOC).terminal()


def test_files_read_back(tmp_path):
    report = Report(scores(4, missing=1), ('background', 'cat', 'dog', 'unicorn'))
    report.write(tmp_path / 'scores')
    written = {path.name for path in (tmp_path / 'scores').iterdir()}
    assert written == {'scores.json'} | {
        f'{score}.{suffix}'
        for score in ('iou', 'precision', 'recall', 'confusion')
        for suffix in ('csv', 'tex')
    }
    content = json.loads((tmp_path / 'scores/scores.json').read_text())
    assert content['mIoU'] == pytest.approx(100 * float(report.scores.iou[:3].mean()))
    assert content['classes']['cat']['confusion'] == pytest.approx(
        float(report.scores.confusion[1])
    )
    assert content['classes']['unicorn'] == dict.fromkeys(content['classes']['cat'])
    assert rows((tmp_path / 'scores/iou.csv').read_text())[1][4] == '-'


def test_unknown_and_unfitting_published_rows(report):
    with pytest.raises(ValueError, match=r"published is 'imagenet', but must be one of 'voc_val'"):
        Report(report.scores, VOC, 'imagenet')
    with pytest.raises(ValueError, match=r"'voc_val' has 21 classes, not 4"):
        Report(scores(4), VOC[:4], 'voc_val')


def test_infinite_confusion_is_null_in_json():
    matrix = torch.tensor([[5, 1, 0], [0, 0, 0]])
    content = json.loads(Report(Scores.from_confusion(matrix), ('a', 'b')).json())
    assert content['classes']['b']['confusion'] is None and content['mConfusion'] is None
