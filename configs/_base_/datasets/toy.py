# The toy world: generated scenes of 64x64 pixels in VOC's layout; everything as for VOC, smaller.
from mmengine.config import read_base

with read_base():
    from .voc import *

from mmseg_excel.datasets import ToyDataset

data_root = 'data/toy/VOC2012'

train_pipeline[3].update(crop_size=(64, 64))
train_pipeline[5].update(size=(64, 64))
test_pipeline[1].update(scale=(64, 64))

train_dataloader.update(num_workers=2)
train_dataloader.dataset.update(type=ToyDataset, data_root=data_root, pipeline=train_pipeline)
val_dataloader.update(num_workers=2)
val_dataloader.dataset.update(type=ToyDataset, data_root=data_root, pipeline=test_pipeline)
test_dataloader = val_dataloader

test_evaluator = val_evaluator
