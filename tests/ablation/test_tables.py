"""Tables as data: what the supplement prints, each setting once, and how results are shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmseg_excel.ablation import Report, ResultsFile, Row, Table, load_table, runs_of
from mmseg_excel.ablation.report import mean_and_deviation, pairs_in_order
from mmseg_excel.ablation.runs import runs_of_cell
from mmseg_excel.datasets.toy.voc_layout import write_voc_layout

from ..datasets.tools import run_tool

CONFIGS = Path(__file__).parents[2] / 'configs'
METHODS = CONFIGS / 'ablations/methods.py'
# Of the supplement.
TABLES = sorted(set((CONFIGS / 'ablations').glob('*.py')) - {METHODS})
TOY = str(CONFIGS / 'excel_toy.py')
# The rows of the defaults, by which the tables of the supplement hang together.
DEFAULT = {'M': 78.0, 'Seg.': 77.2}


@pytest.fixture(scope='module')
def tables() -> list[Table]:
    return [load_table(path) for path in TABLES]


def test_every_table_of_the_supplement_is_there(tables):
    assert [t.name for t in tables] == ['of Fig. 3', *('1a 1b 1c 1d 1e 1f 2a 2b'.split())]
    assert [len(table.rows) for table in tables] == [4, 4, 4, 4, 4, 4, 4, 3, 5]


def test_the_row_of_the_defaults_is_the_papers_best(tables):
    for table in tables[1:]:
        best = max(table.rows, key=lambda row: row.paper['Seg.'])
        (run,) = runs_of_cell(best, 'Seg.', str(CONFIGS / 'excel_voc.py'), {}, [0])
        assert run.changes == {}, table.name
        for column, value in DEFAULT.items():
            assert best.paper.get(column, value) == value
        assert best.paper.get('Precision', 85.0) == 85.0


@pytest.mark.parametrize('base', ['excel_toy', 'excel_voc'])
def test_equal_settings_run_once(tables, base, tmp_path):
    weights = tmp_path / 'clip.pt'
    weights.write_bytes(b'any')
    options = {'model.backbone.pretrained': str(weights), 'model.text_head.attribute_weight': 1.0}
    runs = runs_of(tables, str(CONFIGS / f'{base}.py'), options, [0, 1, 2])
    kinds = [run.kind for run in runs.values()]
    # 3 + 3 + 3 + 3 + 3 + 3 + 2 + 4 settings beside the default; without training 16, and 2 of
    # Fig. 3 that are in no table.
    assert kinds == ['static'] * 18 + ['train'] * 3 * 25
    assert len({run.config_hash for run in runs.values() if run.kind == 'train'}) == 25


def test_whatever_decides_a_result_changes_its_key(tables, tmp_path):
    def keys(**options) -> set[str]:
        return set(runs_of(tables[:2], TOY, options, [0]))

    clip = tmp_path / 'clip.pt'
    clip.write_bytes(b'one')
    pretrained = {'model.backbone.pretrained': str(clip)}
    first = keys(**pretrained)
    assert keys(**pretrained, **{'train_dataloader.num_workers': 7}) == first
    assert not keys(**pretrained, **{'model.pseudo_labeler.box_threshold': 0.8}) & first
    shorter = keys(**pretrained, **{'train_cfg.max_iters': 7})
    assert {key.split('-')[0] for key in shorter & first} == {'static'}
    copy = tmp_path / 'other.pt'
    copy.write_bytes(b'two')
    assert not keys(**{'model.backbone.pretrained': str(copy)}) & first


def test_a_run_refuses_files_that_changed_under_way(tables, tmp_path):
    clip = tmp_path / 'clip.pt'
    clip.write_bytes(b'one')
    runs = runs_of(tables[:1], TOY, {'model.backbone.pretrained': str(clip)}, [0])
    key, run = next(iter(runs.items()))
    run.check_unchanged(key)
    clip.write_bytes(b'two')
    with pytest.raises(RuntimeError, match='changed while the sweep ran'):
        run.check_unchanged(key)


def test_training_free_tables_have_no_other_runs(tables):
    free = [table.only('static') for table in tables]
    assert [table.name for table in free if table] == ['of Fig. 3', *'1a 1b 1c 2a 2b'.split()]
    runs = runs_of([table for table in free if table], TOY, {}, [0, 1])
    assert {run.kind for run in runs.values()} == {'static'}


def test_methods_are_measured_by_their_own_configs():
    table = load_table(METHODS)
    runs = runs_of([table], TOY, {}, [0, 1])
    bases = [(run.kind, Path(run.base).stem) for run in runs.values()]
    assert sorted(bases) == [
        *[('static', f'{method}_toy') for method in ('clip_es', 'excel', 'excel', 'weclip')],
        # MaskCLIP is a setting of ExCEL, CLIP-ES trains nothing.
        *[('train', f'{method}_toy') for method in ('excel',) * 4 + ('weclip',) * 2],
    ]
    with pytest.raises(ValueError, match="'CLIP-ES' needs the config '.*clip_es_tags.py'"):
        runs_of([table], str(CONFIGS / 'excel_tags.py'), {}, [0])


def test_mean_and_deviation():
    assert mean_and_deviation([]) == '–'
    assert mean_and_deviation([71.25]) == '71.2'
    assert mean_and_deviation([70.0, 72.0, 74.0]) == '72.0 ± 2.0'


def test_pairs_in_the_papers_order():
    assert pairs_in_order([(1, 10), (2, 20), (3, 15)]) == (2, 3)
    assert pairs_in_order([(1, 10), (1, 20)]) == (0, 0)
    assert pairs_in_order([(1, 10), (2, 10)]) == (0, 1)


def test_a_report_of_half_a_sweep(tmp_path):
    rows = [
        Row('a_b', {'model.neck.num_layers': 1}, {'Seg.': 71.1}),
        Row('5', {'model.neck.num_layers': 5}, {'Seg.': 77.2}),
        Row('8', {'model.neck.num_layers': 8}),
    ]
    table = Table('x', 'Layers', '$N$', ('Seg.',), rows)
    results = ResultsFile(tmp_path / 'results.json')
    for key, run in runs_of([table], TOY, {}, [0, 1]).items():
        layers = run.options['model.neck.num_layers']
        if layers < 8:
            results.add(key, dict(scores=dict(mIoU=10.0 * layers + run.seed)), dict(seconds=1))
    report = Report(table, ResultsFile(tmp_path / 'results.json'), TOY, {}, [0, 1])
    assert '| $N$ | Seg. | paper |' in report.markdown()
    assert '| a_b | 10.5 ± 0.7 | 71.1 |' in report.markdown()
    assert '| 8 | – | – |' in report.markdown()
    assert "paper's order: Seg. 1 of 1" in report.markdown()
    assert 'a\\_b & 10.5 $\\pm$ 0.7 & 71.1 \\\\' in report.latex()
    assert '\\begin{tabular}{lrr}' in report.latex()


BAD_TABLES = {
    "does not set 'rows'": "name = title = head = ''\ncolumns = ()",
    "a column 'mIoU'": "name = title = head = ''\ncolumns = ('mIoU',)\nrows = []",
    'has a row that is none': "name = title = head = ''\ncolumns = ()\nrows = [dict(lable='')]",
    "no setting 'model.neck.layers'": (
        "name = title = head = ''\ncolumns = ('M',)\n"
        "rows = [dict(label='', options={'model.neck.layers': 1})]"
    ),
}


@pytest.mark.parametrize('sentence', BAD_TABLES)
def test_bad_tables_are_refused(tmp_path, capsys, sentence):
    (tmp_path / 'bad.py').write_text(BAD_TABLES[sentence])
    assert ablate(tmp_path, tmp_path / 'bad.py') == 2
    assert sentence in _error(capsys)


def test_bad_devices_results_and_data_are_refused(tmp_path, capsys):
    assert ablate(tmp_path, TABLES[0], '--devices', 'tpu') == 2
    assert "'tpu' is not to be had" in _error(capsys)
    assert ablate(tmp_path, TABLES[0]) == 2
    assert 'data/toy' in _error(capsys)
    write_voc_layout(tmp_path / 'data/toy', num_train=1, num_val=1)
    lists = tmp_path / 'data/toy/VOC2012/ImageSets/Segmentation'
    (lists / 'train.txt').unlink()
    assert ablate(tmp_path, TABLES[0]) == 2
    assert 'train.txt' in _error(capsys)
    (tmp_path / 'work').mkdir(exist_ok=True)
    (tmp_path / 'work/results.json').write_text(json.dumps(dict(schema_version=0)))
    assert ablate(tmp_path, TABLES[0]) == 2
    assert 'no results of schema version' in _error(capsys)


def ablate(folder: Path, *args: object) -> int:
    data = ['train_dataloader', 'val_dataloader']
    root = f'{folder}/data/toy/VOC2012'
    options = [f'{name}.dataset.data_root={root}' for name in data]
    return run_tool(
        'ablate', *args, '--base', TOY, '--work-dir', folder / 'work', '--cfg-options', *options
    )


def _error(capsys) -> str:
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
    assert len(errors) == 1
    return errors[0]
