from .formatting import PackTaggedInputs
from .image_tags import LoadImageTags
from .random_scale import RandomScale

__all__ = ['LoadImageTags', 'PackTaggedInputs', 'RandomScale']
