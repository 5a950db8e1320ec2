# WeCLIP on OpenAI's CLIP ViT-B/16 (WeCLIP's method page).
from mmengine.config import read_base

with read_base():
    from .excel_vit_b16 import *

from mmseg_excel.inference import LongSideTTAModel
from mmseg_excel.models import WeCLIP

model.pop('neck')
model.update(type=WeCLIP, static_layers=8, dynamic_layers=6)
model.text_head = dict(type='GradientCAMHead', vocabulary='voc')
model.adapter = dict(type='InnerProductAdapter', channels=256, dropout=0.1)
model.pseudo_labeler.update(box_threshold=0.4)

label_crf.update(gaussian=dict(sxy=3, compat=3), bilateral=dict(sxy=64, srgb=5, compat=4))
# `tools/test.py --tta`: views averaged at the patches of the larger scale, then DenseCRF.
tta_model = dict(
    type=LongSideTTAModel,
    size=512,
    scales=(1.0, 0.75),
    flip=True,
    post_processor=label_crf,
)
