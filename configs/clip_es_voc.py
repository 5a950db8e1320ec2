# CLIP-ES on PASCAL VOC 2012: training-free labels of images whose tags are known.
from mmengine.config import read_base

with read_base():
    from ._base_.datasets.voc import *
    from ._base_.default_runtime import *
    from ._base_.models.clip_es_vit_b16 import *
    from ._base_.schedules.voc_30k import *

# Not padded, but resized to whole patches.
test_pipeline[1] = dict(type='ResizeToPatches', patch_size=16)
val_dataloader.dataset.update(pipeline=test_pipeline)
val_dataloader.update(batch_size=1)  # of sizes of their own
test_dataloader = val_dataloader
