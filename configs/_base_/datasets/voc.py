# PASCAL VOC 2012: 10 582 training images with tags (no masks are read), 1 449 validation images.
from mmengine.config import read_base

with read_base():
    from .pipelines import *

from mmseg_excel.datasets import VOCTagsDataset
from mmseg_excel.evaluation import ConfusionMatrixMetric

data_root = 'data/VOCdevkit/VOC2012'

train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SeededInfiniteSampler', shuffle=True),
    dataset=dict(
        type=VOCTagsDataset,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train_aug.txt',
        data_prefix=dict(img_path='JPEGImages'),
        tag_source=dict(type='XMLTags', folder='Annotations'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=4,  # all images are resized to one size
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=VOCTagsDataset,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/val.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        tag_source=dict(type='XMLTags', folder='Annotations'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type=ConfusionMatrixMetric)
test_evaluator = dict(type=ConfusionMatrixMetric, published='voc_val')
