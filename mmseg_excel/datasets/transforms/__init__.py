from .formatting import PackTaggedInputs
from .image_tags import LoadImageTags
from .load_mask import LoadMask
from .random_scale import RandomScale
from .resize_to_patches import ResizeToPatches

__all__ = ['LoadImageTags', 'LoadMask', 'PackTaggedInputs', 'RandomScale', 'ResizeToPatches']
