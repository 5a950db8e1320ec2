import multiprocessing
import os
import signal
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch

from mmseg_excel.densecrf import CRFPool, DenseCRF, shared_memory
from mmseg_excel.utils.images import read_rgb

from .scenes import DeadlyCRF, SlowCRF, write_scene


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes')
    return [write_scene(folder, index) for index in range(12)]


def predictions(scenes):
    return ((index, scene.path, scene.probabilities) for index, scene in enumerate(scenes))


def assert_refined(results, scenes):
    """Every image exactly once, with the labels DenseCRF gives when called directly."""
    assert sorted(index for index, _ in results) == list(range(len(scenes)))
    for index, labels in results:
        scene = scenes[index]
        expected = DenseCRF()(read_rgb(scene.path), scene.probabilities.numpy()).argmax(0)
        assert np.array_equal(labels, expected)


def shared_blocks():
    return set(os.listdir('/dev/shm')) if Path('/dev/shm').is_dir() else set()


def test_every_image_once_and_as_if_called_directly(scenes):
    with CRFPool(DenseCRF(), workers=2, queue_size=3) as pool:
        lengths, results = [], []
        for result in pool.refine_all(predictions(scenes)):
            lengths.append(pool.queue_length)
            results.append(result)
    assert_refined(results, scenes)
    assert max(lengths) <= 3


def test_leaves_no_process_and_no_memory_behind(scenes):
    before = shared_blocks()
    with pytest.raises(KeyboardInterrupt), CRFPool(SlowCRF(), workers=2) as pool:
        for scene in scenes[:6]:
            pool.submit(scene.path, scene.probabilities)
        raise KeyboardInterrupt
    assert not multiprocessing.active_children()
    assert shared_blocks() <= before


def test_a_killed_worker_is_replaced(scenes):
    with CRFPool(SlowCRF(), workers=2) as pool:
        futures = [pool.submit(scene.path, scene.probabilities) for scene in scenes[:4]]
        while not multiprocessing.active_children():
            time.sleep(0.05)
        time.sleep(0.2)
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
        assert_refined([(i, future.result()) for i, future in enumerate(futures)], scenes[:4])


def test_an_image_that_kills_every_worker_is_named(scenes):
    deadly = next(scene for scene in scenes if scene.mask.shape[0] == 54)
    with CRFPool(DeadlyCRF(), workers=1) as pool:
        future = pool.submit(deadly.path, deadly.probabilities)
        with pytest.raises(RuntimeError, match=f'{deadly.path} .* exit code -9'):
            future.result()


def test_a_broken_photograph_is_named_and_the_others_are_refined(scenes, tmp_path):
    broken = tmp_path / 'broken.png'
    broken.write_bytes(b'not a photograph')
    with CRFPool(DenseCRF(), workers=1) as pool:
        bad = pool.submit(str(broken), scenes[0].probabilities)
        good = pool.submit(scenes[0].path, scenes[0].probabilities)
        with pytest.raises(ValueError, match='broken.png'):
            bad.result()
        assert_refined([(0, good.result())], scenes[:1])


def test_a_photograph_of_another_size_is_named(scenes):
    with CRFPool(DenseCRF(), workers=1) as pool:
        future = pool.submit(scenes[0].path, scenes[1].probabilities)
        with pytest.raises(ValueError, match=f'{scenes[0].path} cannot be refined'):
            future.result()


def test_too_little_shared_memory_is_refused_before_it_kills_the_process(monkeypatch):
    usage = namedtuple('usage', 'free')(1 << 20)
    monkeypatch.setattr(shared_memory.shutil, 'disk_usage', lambda _: usage)
    with pytest.raises(OSError, match='has 1 MiB left.*500x500 pixels with 21 classes'):
        shared_memory.SharedBlock().write(torch.zeros(21, 500, 500), range(21))
