# ExCEL without its dynamic phase: static maps and CLIP's affinity label all of the training
# (ExCEL supplement, Fig. 3: the method without the learnable calibration).
from mmengine.config import read_base

with read_base():
    from ..excel_voc import *

custom_hooks[0].update(dynamic_from=train_cfg.max_iters)
