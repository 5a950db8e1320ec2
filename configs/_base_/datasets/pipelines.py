# Pipelines of real photographs (docs/method.md, sections 1 and 9).
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadImageTags'),
    dict(type='RandomScale', ratio_range=(0.5, 2.0)),
    # Crops are drawn blindly: looking at a mask to choose one would leak pixel labels.
    dict(type='RandomCrop', crop_size=(320, 320), cat_max_ratio=1.0),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Pad', size=(320, 320), pad_val=dict(img=0)),
    dict(type='PackTaggedInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(320, 320), keep_ratio=False),
    # After resizing: predictions are compared at the size of the original image.
    dict(type='LoadMask'),
    dict(type='LoadImageTags'),
    dict(type='PackTaggedInputs'),
]
# Images as they are: LogitTTAModel makes the views, 320 x {1.0, 0.7, 1.2, 1.5} and their mirrors.
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadMask'),
    dict(type='LoadImageTags'),
    dict(type='PackTaggedInputs'),
]
