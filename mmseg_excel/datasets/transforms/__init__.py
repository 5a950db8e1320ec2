from .formatting import PackTaggedInputs
from .image_tags import LoadImageTags
from .load_mask import LoadMask
from .random_scale import RandomScale

__all__ = ['LoadImageTags', 'LoadMask', 'PackTaggedInputs', 'RandomScale']
