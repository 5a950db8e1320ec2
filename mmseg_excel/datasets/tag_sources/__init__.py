from .base import TagSource
from .table_tags import TableTags
from .xml_tags import XMLTags

__all__ = ['TableTags', 'TagSource', 'XMLTags']
