import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mmseg_excel.clip.towers import ASSETS

NOTEBOOK = Path(__file__).parents[2] / 'docs/inferencer.ipynb'


@pytest.mark.skipif(
    not (ASSETS / 'excel-toy.safetensors').is_file(), reason='needs the weights of the toy CLIP'
)
def test_the_notebook_runs(monkeypatch):
    """Its cells run one after the other and show pictures that are not blank."""
    shown = []
    ipython = ModuleType('IPython.display')
    ipython.display = shown.append
    monkeypatch.setitem(sys.modules, 'IPython', ModuleType('IPython'))
    monkeypatch.setitem(sys.modules, 'IPython.display', ipython)
    cells = json.loads(NOTEBOOK.read_text(encoding='utf-8'))['cells']
    variables: dict = {}
    for cell in cells:
        if cell['cell_type'] == 'code':
            assert cell['outputs'] == [] and cell['execution_count'] is None
            exec(''.join(cell['source']), variables)
    assert len(shown) == 3
    assert all(np.asarray(picture).std() > 5 for picture in shown[:2])
    assert variables['answer'].tags == ('roof', 'leaves')
