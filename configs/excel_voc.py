# ExCEL on PASCAL VOC 2012.
from mmengine.config import read_base

with read_base():
    from ._base_.datasets.voc import *
    from ._base_.datasets.voc_test_server import *
    from ._base_.default_runtime import *
    from ._base_.models.excel_vit_b16 import *
    from ._base_.schedules.voc_30k import *
