# MS COCO 2014 as tools/prepare_coco.py lays it out: 80 objects and background.
from mmengine.config import read_base

with read_base():
    from .voc import *

from mmseg_excel.datasets import COCOTagsDataset

data_root = 'data/coco'

train_dataloader.dataset.update(
    type=COCOTagsDataset,
    data_root=data_root,
    ann_file='ImageSets/train.txt',
    data_prefix=dict(img_path='train2014'),
)
train_dataloader.dataset.tag_source = dict(type='TableTags', file='tags/train.json')
val_dataloader.dataset.update(
    type=COCOTagsDataset,
    data_root=data_root,
    ann_file='ImageSets/val.txt',
    data_prefix=dict(img_path='val2014', seg_map_path='SegmentationClass/val2014'),
)
val_dataloader.dataset.tag_source = dict(type='TableTags', file='tags/val.json')
test_dataloader = val_dataloader

test_evaluator = val_evaluator
