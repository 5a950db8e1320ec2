# ExCEL on OpenAI's CLIP ViT-B/16 (docs/method.md; ExCEL supplement, section 1).
# Imports, not names: whatever is built first registers the whole package, under any tool.
from mmseg_excel.inference import LogitTTAModel
from mmseg_excel.models import ExCEL

# At the top, too: MMSegmentation's visualization_cam.py looks for it there.
data_preprocessor = dict(
    type='AsyncDataPreProcessor',
    # ImageNet's statistics, not CLIP's: what the reference trains with.
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
    size=(320, 320),
)
# What is not said here follows: widths and depth from CLIP, outputs from the vocabulary.
model = dict(
    type=ExCEL,
    data_preprocessor=data_preprocessor,
    backbone=dict(type='FrozenCLIP', model='ViT-B-16-quickgelu', pretrained='openai'),
    neck=dict(type='SVCNeck', num_layers=5, mode='qkv'),
    text_head=dict(
        type='AttributeTextHead',
        vocabulary='voc',
        mode='attributes',
        descriptions='voc',
        num_attributes=112,
        keep_ratio=0.9,
        attribute_weight=1.0,
    ),
    adapter=dict(
        type='LVCAdapter',
        channels=256,
        dropout=0.1,
        alpha=3.0,
        beta=1.0,
    ),
    decode_head=dict(
        type='TransformerHead',
        num_layers=3,
        num_heads=8,
        loss_decode=dict(type='BalancedCrossEntropyLoss'),
    ),
    pseudo_labeler=dict(type='PseudoLabeler', box_threshold=0.79),
    loss_diversity=dict(type='DiversityLoss', radius=8, loss_weight=0.1),
    test_cfg=dict(source='decoder'),
)
# `tools/make_pseudo_labels.py --crf`.
label_crf = dict(type='DenseCRF')
# `tools/test.py --tta`: logits of all views and their mirrors averaged, then DenseCRF.
tta_model = dict(
    type=LogitTTAModel,
    size=320,
    scales=(1.0, 0.7, 1.2, 1.5),
    flip=True,
    post_processor=dict(type='DenseCRF'),
)
