# ExCEL without attributes: class names alone (ExCEL supplement, Table 2a, "Global").
from mmengine.config import read_base

with read_base():
    from ..excel_voc import *

model.text_head.update(mode='global')
