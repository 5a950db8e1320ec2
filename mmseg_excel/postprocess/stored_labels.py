"""Label images of an interrupted test, taken up again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import barrier, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image

from ..utils.atomic import write_atomically

RECORD = 'labels_of.json'
# Settings of the loop that decide how fast labels come, not what they are.
SPEED_SETTINGS = ('workers', 'queue_size')


class StoredLabels:
    """The folder in which the evaluator leaves label images, read back.

    A record beside the images says which model and settings made them; they are never mixed with
    those of another run.

    Args:
        folder: The evaluator's ``output_dir``, or None if it leaves nothing.
        fingerprint: Of the run, see :func:`fingerprint_of`.

    Raises:
        ValueError: The folder holds label images of another run.
    """

    def __init__(self, folder: str | Path | None, fingerprint: str = '') -> None:
        self.folder = Path(folder) if folder else None
        if self.folder:
            self._claim(fingerprint)

    def recall(self, samples: list[SegDataSample]) -> bool:
        """Give all samples their stored label images as ``pred_sem_seg``.

        Returns:
            Whether every one had a whole label image of its size; if not, none is touched.
        """
        labels = [self._read(sample) for sample in samples]
        if any(label is None for label in labels):
            return False
        for sample, label in zip(samples, labels, strict=True):
            sample.pred_sem_seg = PixelData(data=torch.from_numpy(label).long()[None])
        return True

    def _read(self, sample: SegDataSample) -> np.ndarray | None:
        if self.folder is None:
            return None
        name = sample.get('name') or Path(sample.img_path).stem
        try:
            labels = np.array(Image.open(self.folder / f'{name}.png'))
        except (OSError, SyntaxError):  # not there, or cut off when the run was interrupted
            return None
        return labels if labels.shape == tuple(sample.ori_shape) else None

    def _claim(self, fingerprint: str) -> None:
        """Make the folder this run's, or find that it is."""
        record = self.folder / RECORD
        if is_main_process():
            if not any(self.folder.glob('*.png')):
                write_atomically(record, json.dumps({'fingerprint': fingerprint}).encode())
        barrier()
        if _recorded(record) != fingerprint:
            raise ValueError(
                f'{self.folder} holds label images of another model or of other settings: give '
                '--out another folder, or empty this one.'
            )


def output_folder(evaluator: Evaluator) -> str | None:
    """Where the evaluator's metrics leave label images, if they do."""
    folders = [getattr(metric, 'output_dir', None) for metric in evaluator.metrics]
    return next((folder for folder in folders if folder), None)


def fingerprint_of(runner: Runner) -> str:
    """Hash of all that decides what the labels are: weights, model, pipeline, test settings."""
    config = runner.cfg
    test_settings = {
        key: value
        for key, value in (config.get('test_cfg') or {}).items()
        if key not in SPEED_SETTINGS
    }
    digest = hashlib.sha256(repr((config.get('model'), test_settings)).encode())
    dataset = runner.test_dataloader.dataset
    digest.update(repr(getattr(dataset, 'pipeline', None)).encode())
    for name, value in sorted(runner.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()


def _recorded(record: Path) -> str | None:
    try:
        return json.loads(record.read_text())['fingerprint']
    except (OSError, ValueError, KeyError, TypeError):
        return None
