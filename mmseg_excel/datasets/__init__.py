from .coco import COCOTagsDataset
from .sampler import SeededInfiniteSampler
from .tag_list import TagListDataset
from .tag_sources import COCOTags, MaskTags, TableTags, TagSource, XMLTags
from .tagged import TaggedSegDataset
from .toy_dataset import ToyDataset
from .transforms import LoadImageTags, LoadMask, PackTaggedInputs, RandomScale
from .voc import VOCTagsDataset

__all__ = [
    'COCOTags',
    'COCOTagsDataset',
    'LoadImageTags',
    'LoadMask',
    'MaskTags',
    'PackTaggedInputs',
    'RandomScale',
    'SeededInfiniteSampler',
    'TableTags',
    'TagListDataset',
    'TagSource',
    'TaggedSegDataset',
    'ToyDataset',
    'VOCTagsDataset',
    'XMLTags',
]
