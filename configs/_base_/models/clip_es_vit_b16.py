# CLIP-ES on OpenAI's CLIP ViT-B/16 (CLIP-ES's method page): nothing is trained.
from mmseg_excel.models import CLIPES

model = dict(
    type=CLIPES,
    data_preprocessor=dict(
        type='AsyncDataPreProcessor',
        # CLIP's own statistics.
        mean=[122.7709383, 116.7460125, 104.09373615],
        std=[68.5005327, 66.6321579, 70.32316305],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
    ),
    backbone=dict(
        type='FrozenCLIP', model='ViT-B-16-quickgelu', pretrained='openai', half_positions=True
    ),
    text_head=dict(type='GradientCAMHead', vocabulary='voc'),
    pseudo_labeler=dict(type='HalfScoreLabeler', box_threshold=0.4, background_power=1),
    attention_layers=8,
    test_cfg=dict(source='cam'),
)
# On several processes: there is no gradient to share, which DDP itself would refuse.
model_wrapper_cfg = dict(type='MMSeparateDistributedDataParallel')
# `tools/make_pseudo_labels.py --crf`: pixels it is not sure of become 255.
label_crf = dict(type='CLIPESDenseCRF', confidence=0.95)
