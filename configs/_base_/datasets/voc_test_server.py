# `tools/test.py --format-only`: the images of VOC's evaluation server have neither masks nor tags.
from mmengine.config import read_base

with read_base():
    from .voc import *

from mmseg_excel.datasets import VOCTagsDataset
from mmseg_excel.export import VOCServerExport

format_only_dataloader = val_dataloader.copy()
format_only_dataloader.dataset = dict(
    type=VOCTagsDataset,
    data_root=data_root,
    ann_file='ImageSets/Segmentation/test.txt',
    data_prefix=dict(img_path='JPEGImages'),
    tag_source=None,
    pipeline=test_pipeline,
    test_mode=True,
)
format_only_evaluator = dict(type=VOCServerExport, output_dir='.')
