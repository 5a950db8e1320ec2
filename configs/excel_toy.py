# ExCEL on the toy world: excel_voc.py, but for what the world forces.
from mmengine.config import read_base

with read_base():
    from ._base_.datasets.toy import *
    from ._base_.default_runtime import *
    from ._base_.models.excel_vit_b16 import *
    from ._base_.schedules.voc_30k import *

# A tiny CLIP that knows the world's ten things, on scenes of 64x64 pixels.
model.data_preprocessor.update(size=(64, 64))
model.backbone.update(model='excel-toy', pretrained='packaged')
model.text_head.update(
    vocabulary='toy',
    descriptions='toy',
    num_attributes=32,
    # Attributes of so few and alike classes say little one by one (benchmarks/toy_texts.py).
    attribute_weight=4.0,
)
# Multiples of the patch size, 8: 64, 48, 80, 96.
tta_model.update(size=64, scales=(1.0, 0.75, 1.25, 1.5))

# A tiny world is learnt in minutes: VOC's schedule, shortened.
train_cfg.update(max_iters=1500, val_interval=500)
param_scheduler[0].update(max_iters=1500)
custom_hooks[0].update(dynamic_from=700, prediction_pairs_from=1200)
custom_hooks[-1].update(interval=500)
default_hooks.checkpoint.update(interval=500)
