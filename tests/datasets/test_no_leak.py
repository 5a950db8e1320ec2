"""Training sees image tags only: no mask is opened, and no crop depends on one."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest
import torch

OPENED: list[str] = []
LISTENING = [False]


def _listen(event: str, args: tuple) -> None:
    if LISTENING[0] and event == 'open':
        OPENED.append(str(args[0]))


sys.addaudithook(_listen)


@pytest.fixture
def opened_files():
    OPENED.clear()
    LISTENING[0] = True
    yield OPENED
    LISTENING[0] = False


def _epoch(dataset) -> list[torch.Tensor]:
    np.random.seed(0)
    return [dataset[index]['inputs'] for index in range(len(dataset)) for _ in range(4)]


def test_training_opens_no_mask(build_voc, opened_files):
    _epoch(build_voc('train'))
    assert any('JPEGImages' in path for path in opened_files)
    assert any('Annotations' in path for path in opened_files)
    assert not [path for path in opened_files if 'SegmentationClass' in path]


def test_the_listener_would_have_noticed(build_voc, opened_files):
    _epoch(build_voc('val'))
    assert [path for path in opened_files if 'SegmentationClass' in path]


def test_crops_do_not_depend_on_masks(build_voc, voc):
    with_masks = _epoch(build_voc('train'))
    for mask in (voc / 'SegmentationClass').iterdir():
        mask.write_bytes(b'not a mask')
    with_broken_masks = _epoch(build_voc('train'))
    shutil.rmtree(voc / 'SegmentationClass')
    without_masks = _epoch(build_voc('train'))
    for first, second, third in zip(with_masks, with_broken_masks, without_masks, strict=True):
        assert torch.equal(first, second) and torch.equal(first, third)
    # The crops do differ from one another, or the comparison would say nothing.
    assert not torch.equal(with_masks[0], with_masks[1])
