"""Masks are noted where they are opened, by whichever process."""

import json
from types import SimpleNamespace

import numpy as np
from torch.utils.data import DataLoader

from mmseg_excel.datasets.masks import read_mask, write_mask
from mmseg_excel.engine import MaskCountHook
from mmseg_excel.engine.mask_count_hook import MASKS_OPENED

NAMES = ('one', 'two', 'three')


class Reading:
    """A data set that looks at the masks it should not."""

    def __init__(self, root, names):
        self.data_root, self.names = str(root), names
        self.data_prefix = {}

    def __len__(self):
        return len(self.names)

    def get_data_info(self, index):
        return dict(img_path=f'{self.data_root}/JPEGImages/{self.names[index]}.jpg')

    def __getitem__(self, index):
        path = f'{self.data_root}/SegmentationClass/{self.names[index]}.png'
        return read_mask(path, 21).copy()


def test_masks_that_data_workers_open_are_noted(tmp_path):
    for name in NAMES:
        mask = np.zeros((4, 4), np.uint8)
        write_mask(tmp_path / f'SegmentationClass/{name}.png', mask, [[0, 0, 0]])
        write_mask(tmp_path / f'drawings/{name}.png', mask, [[0, 0, 0]])  # no mask
    hook = MaskCountHook()
    loader = DataLoader(Reading(tmp_path, NAMES[:2]), num_workers=2, multiprocessing_context='fork')
    runner = SimpleNamespace(
        work_dir=str(tmp_path),
        train_dataloader=loader,
        val_loop=SimpleNamespace(dataloader=DataLoader(Reading(tmp_path, NAMES[2:]))),
    )
    hook.before_train(runner)
    assert [len(batch) for batch in loader] == [1, 1]
    next(iter(runner.val_loop.dataloader))
    read_mask(tmp_path / 'drawings/one.png', 21)
    hook.before_save_checkpoint(runner, {})
    noted = dict(of_training_images=['one', 'two'], of_other_images=['three'])
    assert json.loads((tmp_path / MASKS_OPENED).read_text()) == noted

    resumed = MaskCountHook()
    resumed.before_train(runner)
    resumed.after_train(runner)
    assert json.loads((tmp_path / MASKS_OPENED).read_text()) == noted
