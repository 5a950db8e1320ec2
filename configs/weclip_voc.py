# WeCLIP on PASCAL VOC 2012.
from mmengine.config import read_base

with read_base():
    from ._base_.datasets.voc import *
    from ._base_.datasets.voc_test_server import *
    from ._base_.default_runtime import *
    from ._base_.models.weclip_vit_b16 import *
    from ._base_.schedules.weclip_voc_30k import *

# Single views keep the proportions of the image; its long side becomes 512 pixels.
test_pipeline[1].update(scale=(512, 512), keep_ratio=True)
val_dataloader.dataset.update(pipeline=test_pipeline)
val_dataloader.update(batch_size=1)  # of sizes of their own
test_dataloader = val_dataloader
format_only_dataloader.update(batch_size=1)
format_only_dataloader.dataset.update(pipeline=test_pipeline)
