"""What a user's own script does with mmseg's functions: CONFIG CHECKPOINT IMAGE."""

import sys

from mmseg.apis import MMSegInferencer, inference_model, init_model

from mmseg_excel.inference.loading import read_config

config, checkpoint, image = sys.argv[1:]
model = init_model(config, checkpoint, device='cpu')
labels = inference_model(model, image).pred_sem_seg.data
print('labels of inference_model', tuple(labels.shape))
inferencer = MMSegInferencer(model=config, weights=checkpoint, device='cpu')
print('labels of MMSegInferencer', inferencer(image)['predictions'].shape)
packaged = read_config('excel_toy')
packaged.model.text_head.mode = 'global'
inferencer = MMSegInferencer(model=packaged, weights=checkpoint, device='cpu')
print('labels of a recipe by name', inferencer(image)['predictions'].shape)
