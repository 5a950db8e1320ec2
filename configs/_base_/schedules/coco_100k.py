# MS COCO: 100 000 iterations of batch 4; pair labels always come from the pseudo labels.
from mmengine.config import read_base

with read_base():
    from .voc_30k import *

train_cfg.update(max_iters=100000, val_interval=10000)
param_scheduler[0].update(max_iters=100000, warmup_iters=200)
custom_hooks[0].update(dynamic_from=30000, prediction_pairs_from=None)
