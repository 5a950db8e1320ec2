# The toy world: generated scenes of 96x96 pixels in VOC's layout; everything as for VOC, smaller.
from mmengine.config import read_base

with read_base():
    from .voc import *

data_root = 'data/toy/VOC2012'

train_pipeline[3].update(crop_size=(96, 96))
train_pipeline[5].update(size=(96, 96))
test_pipeline[1].update(scale=(96, 96))

train_dataloader.update(num_workers=2)
train_dataloader.dataset.update(type='ToyDataset', data_root=data_root, pipeline=train_pipeline)
val_dataloader.update(num_workers=2)
val_dataloader.dataset.update(type='ToyDataset', data_root=data_root, pipeline=test_pipeline)
test_dataloader = val_dataloader

test_evaluator = val_evaluator
