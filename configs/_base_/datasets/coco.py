# MS COCO 2014 as tools/prepare_coco.py lays it out: 80 objects and background.
from mmengine.config import read_base

with read_base():
    from .pipelines import *

data_root = 'data/coco'

train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SeededInfiniteSampler', shuffle=True),
    dataset=dict(
        type='COCOTagsDataset',
        data_root=data_root,
        ann_file='ImageSets/train.txt',
        data_prefix=dict(img_path='train2014'),
        tag_source=dict(type='TableTags', file='tags/train.json'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='COCOTagsDataset',
        data_root=data_root,
        ann_file='ImageSets/val.txt',
        data_prefix=dict(img_path='val2014', seg_map_path='SegmentationClass/val2014'),
        tag_source=dict(type='TableTags', file='tags/val.json'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='ConfusionMatrixMetric')
test_evaluator = val_evaluator
