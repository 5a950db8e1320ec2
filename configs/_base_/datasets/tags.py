# Your own images below one folder, a table of their tags, and a few masks to evaluate with.
# A config that builds on this one says where the data is and what the classes are.
from mmengine.config import read_base

with read_base():
    from .pipelines import *

from mmseg_excel.datasets import TagListDataset
from mmseg_excel.evaluation import ConfusionMatrixMetric

data_root = 'data/my_images'
classes = ()

train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SeededInfiniteSampler', shuffle=True),
    dataset=dict(
        type=TagListDataset,
        data_root=data_root,
        ann_file='train.csv',
        data_prefix=dict(img_path='images'),
        classes=classes,
        pipeline=train_pipeline,
    ),
)
# Without any masks: val_dataloader = val_evaluator = val_cfg = None, and the same for test.
val_dataloader = dict(
    batch_size=4,  # all images are resized to one size
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=TagListDataset,
        data_root=data_root,
        ann_file='val.csv',
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        classes=classes,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type=ConfusionMatrixMetric)
test_evaluator = val_evaluator
