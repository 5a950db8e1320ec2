import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from PIL import Image

from mmseg_excel.densecrf import DenseCRF, test_loop
from mmseg_excel.densecrf.device_refiner import DeviceRefiner
from mmseg_excel.inference import tta

from .runs import build_runner
from .scenes import write_scene

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NUM_SCENES = 7


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('voc')
    for index in range(NUM_SCENES):
        write_scene(folder, index)
    return folder


@pytest.fixture(scope='module')
def finished(data, tmp_path_factory):
    """Metrics and label images of a run with MMEngine's own loop, which refines in line."""
    out = tmp_path_factory.mktemp('finished') / 'labels'
    metrics = build_runner(data, out.parent, out, type='TestLoop').test()
    return metrics, label_images(out)


@pytest.fixture
def predicted(monkeypatch):
    """The images that the model predicts."""
    paths = []
    test_step = tta.LogitTTAModel.test_step

    def spy(self, data):
        paths.extend(Path(sample.img_path).stem for sample in data['data_samples'])
        return test_step(self, data)

    monkeypatch.setattr(tta.LogitTTAModel, 'test_step', spy)
    return paths


def label_images(folder):
    return {path.stem: np.array(Image.open(path)) for path in sorted(folder.glob('*.png'))}


def assert_same_labels(ours, expected):
    assert ours.keys() == expected.keys()
    for name, labels in expected.items():
        assert np.array_equal(ours[name], labels), name


def test_equals_the_loop_that_refines_in_line(data, finished, tmp_path):
    metrics, labels = finished
    runner = build_runner(data, tmp_path, tmp_path / 'out')
    assert runner.test() == metrics
    assert_same_labels(label_images(tmp_path / 'out'), labels)
    assert len({label for image in labels.values() for label in np.unique(image)}) > 2


def test_without_crf_nothing_is_refined(data, finished, tmp_path):
    plain = build_runner(data, tmp_path, crf=None, type='TestLoop').test()
    assert build_runner(data, tmp_path, crf=None).test() == plain
    assert plain != finished[0]


def test_on_a_device_it_refines_there(data, finished, tmp_path, monkeypatch):
    monkeypatch.setattr(test_loop, 'refiner_of', lambda *_: DeviceRefiner(DenseCRF(engine='torch')))
    metrics, labels = finished
    assert build_runner(data, tmp_path, tmp_path / 'out').test() == metrics
    assert_same_labels(label_images(tmp_path / 'out'), labels)


def test_the_loop_can_bring_the_crf(data, finished, tmp_path):
    post_processor = dict(type='DenseCRF')
    runner = build_runner(data, tmp_path, crf=None, post_processor=post_processor)
    assert runner.test() == finished[0]


def test_the_model_has_its_post_processor_back_afterwards(data, tmp_path):
    runner = build_runner(data, tmp_path)
    own = runner.model.post_processor
    runner.test()
    assert runner.model.post_processor is own is not None


def test_goes_on_where_it_was_interrupted(data, finished, tmp_path, predicted):
    metrics, labels = finished
    out = tmp_path / 'out'
    build_runner(data, tmp_path, out).test()
    (out / '001.png').unlink()
    (out / '004.png').write_bytes((out / '004.png').read_bytes()[:60])
    predicted.clear()
    assert build_runner(data, tmp_path, out).test() == metrics
    # Their neighbours in the batches of two are predicted with them.
    assert predicted == ['000', '001', '004', '005']
    assert_same_labels(label_images(out), labels)


def test_labels_of_another_model_are_never_taken_over(data, tmp_path):
    out = tmp_path / 'out'
    build_runner(data, tmp_path, out).test()
    other = build_runner(data, tmp_path, out)
    torch.nn.init.zeros_(other.model.module.decode_head.conv_seg.weight)
    with pytest.raises(ValueError, match='made in another way: model.*weights was .* and now is'):
        other.test()


def test_other_label_images_are_never_taken_over(data, tmp_path):
    shutil.copytree(data / 'SegmentationClass', tmp_path / 'out')
    with pytest.raises(ValueError, match='of unknown origin'):
        build_runner(data, tmp_path, tmp_path / 'out').test()


def test_two_processes_count_every_image_once(data, finished, tmp_path):
    """Seven images on two processes: MMEngine gives one of them twice and must drop it."""
    mp.spawn(run_rank, args=(data, tmp_path), nprocs=2)
    for rank in range(2):
        assert json.loads((tmp_path / f'{rank}.json').read_text()) == finished[0]
    assert_same_labels(label_images(tmp_path / 'out'), finished[1])


def run_rank(rank, data, folder):
    os.environ.update(LOCAL_WORLD_SIZE='2', MASTER_ADDR='127.0.0.1')
    store = f'file://{folder}/store'
    torch.distributed.init_process_group('gloo', init_method=store, rank=rank, world_size=2)
    runner = build_runner(data, folder, folder / 'out', workers=None)
    (folder / f'{rank}.json').write_text(json.dumps(runner.test(), default=float))
    torch.distributed.destroy_process_group()


def test_a_broken_photograph_ends_the_run_with_its_name(data, tmp_path, monkeypatch):
    """Broken after it was loaded, so that only the worker can find out."""
    broken = tmp_path / 'voc'
    shutil.copytree(data, broken)
    runner = build_runner(broken, tmp_path)
    predict = type(runner.model).test_step

    def predict_and_break(self, batch):
        (broken / 'JPEGImages/003.png').write_bytes(b'not a photograph')
        return predict(self, batch)

    runner.test_loop.dataloader.dataset.full_init()
    items = [runner.test_loop.dataloader.dataset[i] for i in range(NUM_SCENES)]
    monkeypatch.setattr(type(runner.model), 'test_step', predict_and_break)
    monkeypatch.setattr(
        type(runner.test_loop.dataloader.dataset), '__getitem__', lambda self, i: items[i]
    )
    with pytest.raises(ValueError, match='003.png'):
        runner.test()


def test_ctrl_c_ends_everything_and_the_next_run_finishes(data, finished, tmp_path):
    out = tmp_path / 'out'
    command = [sys.executable, '-m', 'tests.densecrf.runs', data, tmp_path, out]
    with subprocess.Popen(
        [*command, 'SlowCRF'], cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True
    ) as process:
        while not list(out.glob('*.png')):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode in (-signal.SIGINT, 128 + signal.SIGINT)
    assert 'KeyboardInterrupt' in errors and 'leaked' not in errors
    assert 0 < len(label_images(out)) < NUM_SCENES
    with pytest.raises(ProcessLookupError):  # no process of the group is left
        wait_for_group(process.pid)
    assert build_runner(data, tmp_path, out, crf='SlowCRF').test() == finished[0]


def wait_for_group(group, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        os.killpg(group, 0)
        time.sleep(0.1)
