"""From the data to the card, killed and started again; shortened, on the toy world."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mmseg_excel.datasets.toy.voc_layout import write_voc_layout
from mmseg_excel.reproduction.card import notice, published
from mmseg_excel.reproduction.plan import Plan
from mmseg_excel.reproduction.run import reproduce

from ..datasets.voc_devkit import make_voc_devkit

pytestmark = pytest.mark.slow

TRAIN_LIST = 'ImageSets/Segmentation/train.txt'
SHORTENED = {
    'model.text_head.mode': 'global',
    'train_cfg.max_iters': 2,
    'train_cfg.val_interval': 2,
    'default_hooks.checkpoint.interval': 1,
    'train_dataloader.batch_size': 2,
    'train_dataloader.num_workers': 1,
    'val_dataloader.num_workers': 0,
    'val_dataloader.persistent_workers': False,
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
}


@pytest.fixture(scope='module')
def data(tmp_path_factory) -> Path:
    return write_voc_layout(tmp_path_factory.mktemp('toy'), num_train=3, num_val=2)


def test_a_card_of_the_toy_world(data, tmp_path):
    """Interrupted after the training, the same command goes on; done steps are not repeated."""
    options = [f'{name}={value}' for name, value in SHORTENED.items()]
    command = [sys.executable, '-m', 'mmseg_excel', 'reproduce', 'toy', '--data', str(data)]
    command += ['--work-dir', str(tmp_path), '--cfg-options', *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith('seed 0: one view: '):
                process.terminate()
    assert (tmp_path / 'seed_0/iter_2.pth').is_file() and not (tmp_path / 'card.json').exists()

    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 'seed 0: train: done already' in done.stdout
    card = json.loads((tmp_path / 'card.json').read_text())
    assert 'says nothing about VOC or COCO' in card['notice']
    assert list(card['scores']) == ['one view', 'all views', 'all views + DenseCRF']
    assert card['supervision']['masks_opened'] == {'seed 0': 0}
    assert card['supervision']['tags']['type'] == 'XMLTags'
    assert card['settings']['box_threshold'] == 0.79
    assert set(card['hours']) >= {'seed 0: train', 'seed 0: report'}
    text = (tmp_path / 'card.md').read_text()
    assert 'masks of training images opened | seed 0 0' in text
    assert (tmp_path / 'seed_0/report.html').is_file()

    again = reproduce(Plan('toy', data, tmp_path, options=SHORTENED), report=lambda line: None)
    assert again['scores'] == card['scores']


@pytest.mark.parametrize('benchmark', ['voc', 'coco', 'toy'])
def test_data_are_looked_for_before_weights(benchmark, tmp_path):
    plan = Plan(benchmark, tmp_path / 'nowhere', tmp_path, clip='missing.pt')
    with pytest.raises(FileNotFoundError, match="nowhere' has no .*: (download|make it)"):
        reproduce(plan)


@pytest.mark.parametrize(
    'given, missing',
    [
        ({}, 'has no ImageSets/Segmentation/train_aug.txt: give --sbd'),
        (dict(sbd='SBD'), 'missing.pt'),
        (dict(method='clip-es'), 'missing.pt'),
        (dict(options={'train_dataloader.dataset.ann_file': TRAIN_LIST}), 'missing.pt'),
    ],
)
def test_the_list_that_vocs_download_lacks_is_looked_for(given, missing, tmp_path):
    root = make_voc_devkit(tmp_path, {'train': {'2007_000032': ['cat']}, 'val': {}})
    with pytest.raises(FileNotFoundError, match=missing):
        reproduce(Plan('voc', root, tmp_path / 'work', clip='missing.pt', **given))


def test_weights_are_looked_for_before_anything_is_done(data, tmp_path):
    with pytest.raises(FileNotFoundError, match="'missing.pt'"):
        reproduce(Plan('toy', data, tmp_path / 'work', clip='missing.pt'))
    assert not (tmp_path / 'work').exists()


def test_published_scores_stand_beside_those_of_the_whole_benchmark_alone(tmp_path):
    whole, part = (Plan('voc', tmp_path, tmp_path, any_size=any_size) for any_size in (False, True))
    assert published(whole, 'ExCEL') == {'all views + DenseCRF': 78.4} and not notice(whole)
    assert not published(part, 'ExCEL') and 'not comparable' in notice(part)


def test_every_method_and_benchmark_has_a_plan(tmp_path):
    for benchmark in ('voc', 'coco', 'toy'):
        for method, number in {'excel': 5, 'weclip': 5, 'clip-es': 1}.items():
            plan = Plan(benchmark, tmp_path, tmp_path, method, seeds=(0, 1))
            steps = [step for step in plan.steps() if step.name != 'prepare']
            assert len(steps) == (number if method == 'clip-es' else 2 * number)
            assert len({step.name for step in steps}) == len(steps)


def test_what_cannot_be_reproduced_is_told(tmp_path):
    with pytest.raises(ValueError, match="benchmark is 'ade', but must be"):
        Plan('ade', tmp_path, tmp_path)
    with pytest.raises(ValueError, match="method is 'sam', but must be"):
        Plan('voc', tmp_path, tmp_path, 'sam')
