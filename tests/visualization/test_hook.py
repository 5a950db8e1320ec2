import json

import cv2
import pytest
import torch
from mmengine.runner import Runner

from mmseg_excel.visualization.hook import supervision_scalars
from tests.datasets.voc_devkit import make_voc_devkit
from tests.golden.model import golden_config

TRAIN = {'2007_000032': ['person', 'aeroplane'], '2007_000039': ['tvmonitor']}
VAL = {'2007_000033': ['aeroplane', 'cat'], '2007_000042': []}


@pytest.fixture(scope='module')
def voc(tmp_path_factory):
    return make_voc_devkit(tmp_path_factory.mktemp('voc'), {'train': TRAIN, 'val': VAL})


def loader(voc, split: str, pipeline: list[dict], masks: bool) -> dict:
    prefix = dict(img_path='JPEGImages')
    return dict(
        batch_size=2 if split == 'train' else 1,
        num_workers=0,
        sampler=dict(
            type='InfiniteSampler' if split == 'train' else 'DefaultSampler', shuffle=False
        ),
        dataset=dict(
            type='VOCTagsDataset',
            data_root=str(voc),
            ann_file=f'ImageSets/Segmentation/{split}.txt',
            data_prefix=prefix | (dict(seg_map_path='SegmentationClass') if masks else {}),
            tag_source=dict(type='XMLTags', folder='Annotations'),
            pipeline=pipeline,
        ),
    )


def train(voc, work_dir, hooks: list[dict], name: str, masks: bool = True) -> Runner:
    load = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(64, 64), keep_ratio=False),
        *([dict(type='LoadAnnotations')] if masks else []),
        dict(type='LoadImageTags'),
        dict(type='PackTaggedInputs'),
    ]
    blind = [step for step in load if step['type'] != 'LoadAnnotations']
    model = golden_config()
    model['data_preprocessor']['size'] = (64, 64)
    runner = Runner(
        model,
        str(work_dir),
        train_dataloader=loader(voc, 'train', blind, masks=False),
        val_dataloader=loader(voc, 'val', load, masks),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=4, val_begin=100),
        val_cfg=dict(type='ValLoop'),
        val_evaluator=dict(type='IoUMetric'),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3)),
        custom_hooks=[
            dict(type='PhaseScheduleHook', dynamic_from=2, prediction_pairs_from=3),
            dict(type='IterationSeedHook'),
            *hooks,
        ],
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=1, log_metric_by_epoch=False), checkpoint=None
        ),
        log_processor=dict(by_epoch=False),
        visualizer=dict(
            type='SegLocalVisualizer', name=name, vis_backends=[dict(type='LocalVisBackend')]
        ),
        randomness=dict(seed=0),
        default_scope='mmseg',
        experiment_name=name,
    )
    runner.train()
    return runner


WATCH = dict(type='PseudoLabelVisualizationHook', interval=2)  # both images


@pytest.fixture(scope='module')
def watched(voc, tmp_path_factory) -> Runner:
    return train(voc, tmp_path_factory.mktemp('watched'), [WATCH], 'watched')


def scalars_of(runner: Runner) -> list[dict]:
    with open(f'{runner._log_dir}/vis_data/scalars.json') as lines:
        return [json.loads(line) for line in lines]


def test_pictures_reach_the_backend(watched):
    """Before training and every second iteration, one picture an image, a row a tag."""
    folder = f'{watched._log_dir}/vis_data/vis_image'
    shapes = {
        (name, step): cv2.imread(f'{folder}/watch_{name}_{step}.png').shape
        for name in VAL
        for step in (0, 2, 4)
    }
    assert shapes['2007_000033', 0][0] > 1.5 * shapes['2007_000042', 0][0]
    first, last = (cv2.imread(f'{folder}/watch_2007_000033_{step}.png') for step in (0, 4))
    assert (first != last).any()


def test_scalars_follow_the_supervision(watched):
    records = scalars_of(watched)
    measured = {r['step']: r for r in records if 'pseudo_background' in r}
    assert list(measured) == [0, 2, 4]
    for record in measured.values():
        assert 0 < record['pseudo_background'] <= 1
        assert 0 <= record['pseudo_mIoU'] <= 100
        assert record['watch_seconds'] > 0
    phases = {r['step']: r['phase'] for r in records if 'phase' in r}
    assert phases == {1: 0, 2: 0, 3: 1, 4: 2}
    assert all('loss_seg' in r and 'lr' in r for r in records if 'phase' in r)


def test_watching_changes_nothing(watched, voc, tmp_path):
    """Bit for bit the weights of a run without the hook."""
    plain = train(voc, tmp_path, [], 'plain')
    ours, theirs = watched.model.state_dict(), plain.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert watched.model.training == plain.model.training


def test_without_masks_nothing_is_scored(voc, tmp_path):
    runner = train(voc, tmp_path, [WATCH], 'blind', masks=False)
    measured = [r for r in scalars_of(runner) if 'pseudo_background' in r]
    assert len(measured) == 3 and not any('pseudo_mIoU' in r for r in measured)


def test_an_unknown_image_is_named(voc, tmp_path):
    with pytest.raises(ValueError, match=r'indices has 7, but .* images 0 to 1'):
        train(voc, tmp_path, [dict(WATCH, indices=(0, 7))], 'unknown')


def test_scalars_by_hand():
    labels = torch.tensor([[0, 0], [1, 255]])
    truth = torch.tensor([[0, 1], [1, 255]])
    scalars = supervision_scalars([labels], [truth], num_classes=3)
    assert scalars['pseudo_background'] == 0.5
    # Background 1 of 2, class 1: 1 of 2, class 2 nowhere.
    assert scalars['pseudo_mIoU'] == pytest.approx(50)
    unknown = supervision_scalars([labels], [torch.full((1, 1), 255)], num_classes=3)
    assert set(unknown) == {'pseudo_background'}
