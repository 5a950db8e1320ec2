# ExCEL on MS COCO 2014: VOC's settings transferred, but for what the paper changes.
from mmengine.config import read_base

with read_base():
    from ._base_.datasets.coco import *
    from ._base_.default_runtime import *
    from ._base_.models.excel_vit_b16 import *
    from ._base_.schedules.coco_100k import *

model.text_head.update(vocabulary='coco', descriptions='coco', num_attributes=224)
model.pseudo_labeler.update(box_threshold=0.88)
