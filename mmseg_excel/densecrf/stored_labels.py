"""Label images of an interrupted test, taken up again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image
from torch import nn

from ..datasets.identity import data_identity
from ..utils.distributed import unwrapped
from ..utils.plain import plain, sha256_of_tensors
from ..utils.records import claim
from ..version import __version__
from .dense_crf import DenseCRF


class StoredLabels:
    """The folder in which the evaluator leaves label images, read back.

    A record beside the folder says what made them (:mod:`mmseg_excel.utils.records`); they are
    never mixed with those of another run.

    Args:
        folder: The evaluator's ``output_dir``.
        made_with: What decides the labels, see :func:`made_with`.

    Raises:
        BadInput: The folder holds label images of another run.
    """

    def __init__(self, folder: str | Path, made_with: Mapping[str, object]) -> None:
        self.folder = Path(folder)
        claim(self.folder, made_with)

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
        name = sample.get('name') or Path(sample.img_path).stem
        try:
            labels = np.array(Image.open(self.folder / f'{name}.png'))
        except (OSError, SyntaxError):  # not there, or cut off when the run was interrupted
            return None
        return labels if labels.shape == tuple(sample.ori_shape) else None


def output_folder(evaluator: Evaluator) -> str | None:
    """Where the evaluator's metrics leave label images, if they do."""
    folders = [getattr(metric, 'output_dir', None) for metric in evaluator.metrics]
    return next((folder for folder in folders if folder), None)


def made_with(runner: Runner, crf: DenseCRF | None, fp16: bool) -> dict[str, object]:
    """All that decides what the label images of a test are.

    Args:
        runner: With its model and test data.
        crf: What refines the predictions, if anything does.
        fp16: Whether the model predicts in half precision.
    """
    return dict(
        mmseg_excel=__version__,
        model=_model_identity(unwrapped(runner.model)),
        data=data_identity(runner.test_dataloader.dataset),
        crf=plain(crf),
        fp16=fp16,
    )


def _model_identity(model: nn.Module) -> dict[str, object]:
    """Of any model, also if it is not ours."""
    if hasattr(model, 'identity'):
        return model.identity()
    return dict(settings=plain(model), weights=sha256_of_tensors(model.state_dict()))
