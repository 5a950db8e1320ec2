"""A small test run: the golden model with views and DenseCRF on scenes in VOC's layout.

`python -m tests.densecrf.runs DATA WORK OUT [CRF]` runs it as a program of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.registry import MODELS

from mmseg_excel.inference.tta import LogitTTAModel
from tests.golden.model import build_golden_model

from .scenes import CLASSES, SlowCRF

MODELS.register_module(module=SlowCRF, force=True)

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]


def build_runner(
    data: Path,
    work: Path,
    out: Path | None = None,
    crf: str | None = 'DenseCRF',
    **test_cfg,
) -> Runner:
    """A runner that tests the golden model; `test_cfg` replaces or completes the loop's."""
    post_processor = dict(type=crf) if crf else None
    model = LogitTTAModel(
        build_golden_model(), size=32, scales=(1.0, 1.5), post_processor=post_processor
    )
    if 'type' not in test_cfg:
        test_cfg = dict(type='ResumableTestLoop', workers=2, queue_size=3) | test_cfg
    dataset = dict(
        type='BaseSegDataset',
        data_root=str(data),
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        img_suffix='.png',
        seg_map_suffix='.png',
        metainfo=dict(classes=CLASSES),
        pipeline=PIPELINE,
        test_mode=True,
    )
    return Runner(
        model=model,
        work_dir=str(work),
        test_dataloader=dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dataset,
        ),
        test_evaluator=dict(type='IoUMetric', output_dir=str(out) if out else None),
        test_cfg=test_cfg,
        default_scope='mmseg',
        cfg=Config(dict(test_cfg=test_cfg)),
        experiment_name=f'run{next(_RUNS)}',
    )


_RUNS = iter(range(1000))

if __name__ == '__main__':
    build_runner(*map(Path, sys.argv[1:4]), *sys.argv[4:]).test()
