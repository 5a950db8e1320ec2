# ExCEL on your own images. Build on this: say where the images are and what the classes are.
from mmengine.config import read_base

with read_base():
    from ._base_.datasets.tags import *
    from ._base_.default_runtime import *
    from ._base_.models.excel_vit_b16 import *
    from ._base_.schedules.voc_30k import *

# Classes are known by their names until tools/generate_descriptions.py has described them.
model.text_head.update(mode='global', descriptions=None)
