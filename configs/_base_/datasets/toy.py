# The toy world: generated scenes of 96x96 pixels in VOC's layout; everything as for VOC, smaller.
data_root = 'data/toy/VOC2012'

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadImageTags'),
    dict(type='RandomScale', ratio_range=(0.5, 2.0)),
    # Crops are drawn blindly: looking at a mask to choose one would leak pixel labels.
    dict(type='RandomCrop', crop_size=(96, 96), cat_max_ratio=1.0),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Pad', size=(96, 96), pad_val=dict(img=0)),
    dict(type='PackTaggedInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(96, 96), keep_ratio=False),
    # After resizing: predictions are compared at the size of the original image.
    dict(type='LoadMask'),
    dict(type='LoadImageTags'),
    dict(type='PackTaggedInputs'),
]
# Images as they are: ExCELTTAModel makes the views.
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadMask'),
    dict(type='LoadImageTags'),
    dict(type='PackTaggedInputs'),
]

train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='SeededInfiniteSampler', shuffle=True),
    dataset=dict(
        type='ToyDataset',
        data_root=data_root,
        ann_file='ImageSets/Segmentation/train.txt',
        data_prefix=dict(img_path='JPEGImages'),
        tag_source=dict(type='XMLTags', folder='Annotations'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ToyDataset',
        data_root=data_root,
        ann_file='ImageSets/Segmentation/val.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        tag_source=dict(type='XMLTags', folder='Annotations'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='ConfusionMatrixMetric')
test_evaluator = val_evaluator
