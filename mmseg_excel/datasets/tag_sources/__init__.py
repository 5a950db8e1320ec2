from .base import TagSource, gather_tags
from .coco_tags import COCOTags
from .mask_tags import MaskTags
from .table_tags import TableTags
from .xml_tags import XMLTags

__all__ = ['COCOTags', 'MaskTags', 'TableTags', 'TagSource', 'XMLTags', 'gather_tags']
