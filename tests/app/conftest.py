"""The toy world's model behind a desk."""

import os

import pytest
import torch

from mmseg_excel.app.desk import Desk
from mmseg_excel.app.model import load_model


@pytest.fixture(scope='session', autouse=True)
def cache_dir(tmp_path_factory):
    """Attribute banks made by tests stay out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, 'MMSEG_EXCEL_CACHE', str(tmp_path_factory.mktemp('cache')))
        yield


@pytest.fixture(scope='session')
def free_desk() -> Desk:
    """Training-free, as without arguments."""
    return Desk(load_model(device='cpu'))


@pytest.fixture(scope='session')
def desk(free_desk, tmp_path_factory) -> Desk:
    """With a checkpoint, of untrained weights."""
    path = tmp_path_factory.mktemp('checkpoint') / 'toy.pth'
    torch.save(dict(state_dict=free_desk.inferencer.model.state_dict()), path)
    return Desk(load_model(checkpoint=path, device='cpu'))
