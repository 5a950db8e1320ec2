"""A part of the report on a GPU: DenseCRF alone."""

from __future__ import annotations

from functools import partial

import cv2
import torch
import torch.nn.functional as F

from benchmarks.gpu_setting import Row, Rows, Setting
from benchmarks.timing import cuda_memory, interleaved
from mmseg_excel.densecrf import DenseCRF
from mmseg_excel.densecrf.engines import ANY_DEVICE


def densecrf(setting: Setting) -> Rows:
    """Milliseconds an image of 375x500, alone and four at once, and labels beside a CPU's."""
    from tests.golden.reference import golden

    crf, size = DenseCRF(engine=ANY_DEVICE), (24, 32) if setting.quick else (375, 500)
    image = cv2.resize(golden()['crf_image_u8'], size[::-1], interpolation=cv2.INTER_CUBIC)
    for classes in (21, 81):
        scores = 4 * torch.randn(1, classes, 20, 20, generator=torch.manual_seed(0))
        soft = F.interpolate(scores, size, mode='bilinear').softmax(dim=1)
        on_cpu = DenseCRF().label(image, soft[0])
        for together in (1, 4):
            given = [image] * together, soft.to(setting.device).expand(together, -1, -1, -1)
            run = partial(crf.label_all, *given)
            labels = run().cpu()
            row: Row = dict(classes=classes, together=together)
            timing = interleaved(dict(run=run), 1 if setting.quick else 10)['run']
            row['ms an image'] = 1e3 * timing.wall / together
            if setting.is_cuda:
                row['GB'] = cuda_memory(run).tensor_bytes / 1e9
            row['pixels that differ'] = int((labels[0] != on_cpu).sum())
            row['bits'] = 'the same' if torch.equal(run().cpu(), labels) else 'others'
            yield row
