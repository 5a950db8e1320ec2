# WeCLIP on MS COCO 2014: VOC's settings but for thresholds, layers and schedule.
from mmengine.config import read_base

with read_base():
    from ._base_.datasets.coco import *
    from ._base_.default_runtime import *
    from ._base_.models.weclip_vit_b16 import *
    from ._base_.schedules.weclip_coco_80k import *

model.update(dynamic_layers=10)
model.text_head.update(vocabulary='coco')
model.pseudo_labeler.update(box_threshold=0.7)
test_pipeline[1].update(scale=(512, 512), keep_ratio=True)
val_dataloader.dataset.update(pipeline=test_pipeline)
val_dataloader.update(batch_size=1)  # of sizes of their own
test_dataloader = val_dataloader
