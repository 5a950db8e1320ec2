"""The model index lists every recipe, and nothing that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope='module')
def metafiles() -> list[dict]:
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    return [yaml.safe_load((ROOT / path).read_text()) for path in index['Import']]


def test_every_recipe_is_listed_once(metafiles):
    listed = [model['Config'] for metafile in metafiles for model in metafile['Models']]
    recipes = [*ROOT.glob('configs/*.py'), *ROOT.glob('configs/baselines/*.py')]
    assert sorted(listed) == sorted(str(path.relative_to(ROOT)) for path in recipes)


def test_what_is_listed_is_there(metafiles):
    for metafile in metafiles:
        (collection,) = metafile['Collections']
        assert (ROOT / collection['README']).is_file()
        for model in metafile['Models']:
            assert model['In Collection'] == collection['Name']
            assert Path(model['Config']).stem == model['Name']


def test_results_are_marked_as_those_of_others(metafiles):
    for model in (model for metafile in metafiles for model in metafile['Models']):
        assert 'Weights' not in model
        for name in model.get('Results', {}).get('Metrics', ()):
            assert '(the paper, ' in name or '(the authors, ' in name
