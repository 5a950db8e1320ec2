# Plain CLIP as a baseline: its own q-k attention in the calibrated layers, class names alone
# (ExCEL supplement, Fig. 3; with attributes as texts, Table 2b, "q-k").
from mmengine.config import read_base

with read_base():
    from ..excel_voc import *

model.neck.update(mode='q-k')
model.text_head.update(mode='global')
