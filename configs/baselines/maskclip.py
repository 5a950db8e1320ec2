# MaskCLIP as a baseline: v-v attention in the last layer alone, class names alone
# (ExCEL supplement, Fig. 3).
from mmengine.config import read_base

with read_base():
    from ..excel_voc import *

model.neck.update(mode='v-v', num_layers=1)
model.text_head.update(mode='global')
