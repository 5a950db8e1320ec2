"""Records of what made a folder: where they are, what they tell, and that nobody waits."""

from __future__ import annotations

import functools
import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from torch import nn

from mmseg_excel.datasets.transforms import LoadImageTags, PackTaggedInputs
from mmseg_excel.utils.bad_input import BadInput
from mmseg_excel.utils.plain import canonical, plain
from mmseg_excel.utils.records import claim, record_path


def test_the_record_is_beside_the_folder_whichever_way_it_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    claim('labels', dict(a=1))
    assert record_path('labels/') == record_path('./labels') == tmp_path / 'labels.made_with.json'
    assert json.loads((tmp_path / 'labels.made_with.json').read_text()) == dict(a=1)
    assert not list((tmp_path / 'labels').iterdir())


def test_an_empty_folder_is_free_and_a_folder_with_images_is_not(tmp_path):
    claim(tmp_path / 'labels', dict(a=1))
    claim(tmp_path / 'labels', dict(a=2))
    (tmp_path / 'labels/one.png').touch()
    claim(tmp_path / 'labels', dict(a=2))
    before = record_path(tmp_path / 'labels').read_bytes()
    with pytest.raises(BadInput, match='a was 2 and now is 3'):
        claim(tmp_path / 'labels', dict(a=3))
    assert record_path(tmp_path / 'labels').read_bytes() == before


def test_two_processes_are_refused_together(tmp_path):
    """The second process has the right settings, and must not go on alone."""
    claim(tmp_path / 'labels', dict(rank=1))
    (tmp_path / 'labels/one.png').touch()
    mp.spawn(claim_in_process, args=(tmp_path,), nprocs=2)
    for rank in range(2):
        assert 'rank was 1 and now is 0' in (tmp_path / f'{rank}.txt').read_text()


def claim_in_process(rank: int, folder: Path) -> None:
    store = f'file://{folder}/store'
    os.environ.update(LOCAL_WORLD_SIZE='2')
    torch.distributed.init_process_group('gloo', init_method=store, rank=rank, world_size=2)
    with pytest.raises(BadInput) as caught:
        claim(folder / 'labels', dict(rank=rank))
    (folder / f'{rank}.txt').write_text(str(caught.value))
    torch.distributed.destroy_process_group()


def test_what_computes_is_described_by_its_settings():
    keys = ('img_path', 'name')
    assert canonical(LoadImageTags()) == canonical(LoadImageTags())
    assert 'at 0x' not in canonical([LoadImageTags(), print, logging.getLogger(), len, object()])
    assert canonical(PackTaggedInputs()) != canonical(PackTaggedInputs(meta_keys=keys))
    dropout = nn.Sequential(nn.Dropout(0.1)), nn.Sequential(nn.Dropout(0.2))
    assert plain(dropout[0])['0']['p'] == 0.1 != plain(dropout[1])['0']['p']
    assert canonical(dropout[0].train()) == canonical(dropout[0].eval())


def test_arrays_count_by_their_content():
    values = np.arange(100.0)
    assert (
        plain(values)
        == plain(torch.arange(100.0, dtype=torch.float64))
        != plain(values[::-1].copy())
    )
    assert plain(values) != plain(values.reshape(10, 10)) != plain(values.astype(np.float32))
    assert plain(np.float32(0.5)) == 0.5 and plain(np.arange(3)) == [0, 1, 2]


def test_an_object_within_itself_is_described_once():
    outer = nn.Module()
    outer.parts = [outer]
    assert plain(outer)['parts'] == ['itself']
    assert plain(functools.partial(max, 1, key=len))[1:] == [[1], {'key': 'builtins.len'}]
