"""Any segmentor can be trained on pseudo labels; the ready recipe is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from mmseg_excel.datasets.masks import write_mask

CONFIGS = Path(__file__).parents[3] / 'configs'


def test_deeplab_takes_a_step_on_pseudo_labels_and_is_evaluated(voc):
    for path in sorted((voc / 'JPEGImages').iterdir()):
        with Image.open(path) as image:
            label = np.zeros(image.size[::-1], np.uint8)
        label[:, 20:60], label[:9] = 15, 255  # a person and an ignore band
        write_mask(voc / f'PseudoLabels/{path.stem}.png', label)
    config = Config.fromfile(CONFIGS / 'deeplabv3plus_voc_pseudo.py')
    config.work_dir = str(voc / 'work_dir')
    config.model.update(pretrained=None)
    config.model.backbone.update(depth=18, norm_cfg=dict(type='BN'))
    config.model.decode_head.update(in_channels=512, c1_in_channels=64, channels=32)
    config.model.auxiliary_head.update(in_channels=256, channels=32)
    config.model.data_preprocessor.update(size=(64, 64))
    config.train_dataloader.dataset.pipeline[3].update(crop_size=(64, 64))
    config.train_cfg.update(max_iters=1, val_interval=1)
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=str(voc))
    config.train_dataloader.update(batch_size=2)
    runner = Runner.from_cfg(config)
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    runner.train()
    after = runner.model.state_dict()
    assert all(torch.isfinite(value).all() for value in after.values())
    assert not torch.equal(
        before['decode_head.conv_seg.weight'], after['decode_head.conv_seg.weight']
    )
    assert 0 <= runner.message_hub.get_scalar('val/mIoU').current() <= 100
