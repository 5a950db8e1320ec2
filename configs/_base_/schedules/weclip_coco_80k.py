# WeCLIP on MS COCO: 80 000 iterations of batch 4.
from mmengine.config import read_base

with read_base():
    from .weclip_voc_30k import *

train_cfg.update(max_iters=80000, val_interval=10000)
param_scheduler[0].update(max_iters=80000)
custom_hooks[0].update(dynamic_from=40000)
