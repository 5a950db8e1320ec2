from .coco import prepare_coco
from .voc import prepare_voc

__all__ = ['prepare_coco', 'prepare_voc']
