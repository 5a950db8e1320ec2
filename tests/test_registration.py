"""Registries find all parts, whichever is imported first, and importing the package is cheap."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mmseg_excel
from mmseg_excel import parts

FOUND = """
from mmengine.registry import HOOKS, LOOPS
from mmseg.registry import DATASETS, MODELS
assert HOOKS.get('PhaseScheduleHook') and LOOPS.get('ResumableTestLoop')
assert MODELS.get('ExCEL') and MODELS.get('ResNet') and DATASETS.get('ToyDataset')
"""
ORDERS = {
    'before the registries': 'import sys, mmseg_excel; assert "torch" not in sys.modules' + FOUND,
    'between them': 'import mmengine, mmseg_excel' + FOUND,
    'after they were asked': """
from mmengine.registry import HOOKS
from mmseg.registry import MODELS
assert MODELS.get('ResNet') and not MODELS.get('ExCEL') and not HOOKS.get('PhaseScheduleHook')
import mmseg_excel"""
    + FOUND,
}


@pytest.mark.parametrize('order', ORDERS)
def test_registries_find_all_parts(order):
    done = subprocess.run([sys.executable, '-c', ORDERS[order]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_subpackages_are_attributes():
    for name in parts.__all__:
        assert getattr(mmseg_excel, name) is getattr(parts, name)
    with pytest.raises(AttributeError, match='no attribute'):
        _ = mmseg_excel.nonsense
