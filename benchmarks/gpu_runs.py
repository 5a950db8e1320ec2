"""Parts of the report on a GPU: what a user's commands make of it, from files to answers."""

from __future__ import annotations

import json
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
from mmengine.dataset import pseudo_collate
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import register_all_modules
from torch.utils.data import DataLoader

from benchmarks.data_loading import make_dataset, write_photographs
from benchmarks.gpu_busy import NAME
from benchmarks.gpu_recipe import Project
from benchmarks.gpu_setting import PHASES, PRECISIONS, Row, Rows, Setting
from benchmarks.timing import Run, interleaved
from mmseg_excel.utils.images import read_rgb


def loading(setting: Setting) -> Rows:
    """Training images a second that the data loader gives, by its number of workers."""
    register_all_modules(init_default_scope=True)
    batches, batch = (2, 1) if setting.quick else (40, 4)
    with tempfile.TemporaryDirectory() as folder:
        dataset = make_dataset(Path(folder), batch * batches)
        for workers in (1,) if setting.quick else (1, 2, 4, 8, 14):
            options = dict(batch_size=batch, num_workers=workers, persistent_workers=True)
            loader = DataLoader(dataset, collate_fn=pseudo_collate, **options)
            for _ in loader:  # workers have started
                pass
            start = time.perf_counter()
            count = sum(len(data['inputs']) for data in loader)
            seconds = time.perf_counter() - start
            yield {'workers': workers, 'images a second': count / seconds}


def training(setting: Setting) -> Rows:
    """Iterations a second of tools/train.py on photographs, by phase and precision."""
    iterations = 3 if setting.quick else 600
    kinds = dict(fp32=([], False), fp16=(['--amp'], False))
    if setting.is_cuda:
        kinds['fp16, graphs'] = (['--amp'], True)
    elif setting.quick:
        del kinds['fp16']  # MMEngine's needs a GPU
    with Project(setting, photographs=16 if setting.quick else 64) as project:
        for kind, (options, graphs) in kinds.items():
            recipe = project.recipe(iterations, workers=8, graphs=graphs)
            yield from _phases(kind, project.train(recipe, kind.replace(', ', '_'), *options))


def _phases(kind: str, run: Path) -> Rows:
    """What a training logged, and how busy its GPU was, by phase."""
    lines = next(run.glob('*/vis_data/scalars.json')).read_text().splitlines()
    driver = json.loads((run / NAME).read_text())
    rows: list[Row] = [
        {
            'phase': phase,
            'kind': kind,
            'iterations a second': 1 / found['time'],
            'waiting for data': found['data_time'] / found['time'],
        }
        for phase, found in zip(PHASES, map(json.loads, lines), strict=False)
    ]
    for row, share in zip(rows, driver['busy'], strict=False):
        row |= {'GPU busy': share, 'GB held in the end': driver['held'] / 1e9}
    return rows


def inference(setting: Setting) -> Rows:
    """Images a second of 375x500 photographs: a validation's, eight views, and DenseCRF."""
    case, count = setting.case(batch=1), 1 if setting.quick else 16
    model = case.ours.eval()
    views = dict(size=32, scales=(1.0,)) if setting.quick else {}
    views |= dict(type='LogitTTAModel', module=model, data_preprocessor=None)
    refined = views | dict(post_processor=dict(type='DenseCRF'))
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder), count)
        photographs = _photographs(Path(folder))
        small = [image[:, :320, :320] for image in photographs['inputs']]
        steps = {
            'validation': partial(model.val_step, photographs | dict(inputs=small)),
            'eight views': partial(MODELS.build(views).test_step, photographs),
            'eight views, DenseCRF': partial(MODELS.build(refined).test_step, photographs),
        }
        for what, step in steps.items():
            yield from _rates(setting, what, step, count)


def _photographs(folder: Path) -> dict[str, list]:
    """What a data loader gives of the photographs in a folder."""
    paths = [str(path) for path in sorted(folder.glob('JPEGImages/*'))]
    bgr = [torch.from_numpy(read_rgb(path)[..., ::-1].copy()) for path in paths]
    samples = [
        SegDataSample(metainfo=dict(ori_shape=tuple(pixels.shape[:2]), img_path=path))
        for pixels, path in zip(bgr, paths, strict=True)
    ]
    return dict(inputs=[pixels.permute(2, 0, 1) for pixels in bgr], data_samples=samples)


def _rates(setting: Setting, what: str, step: Run, count: int) -> Rows:
    """Images a second of a step by precision."""
    step = torch.no_grad()(step)
    kinds = ('fp32',) if setting.quick else PRECISIONS
    runs = {kind: setting.in_precision(step, kind) for kind in kinds}
    timings = interleaved(runs, 1 if setting.quick else 3)
    return [
        {'what': what, 'precision': kind, 'images a second': count / timing.wall}
        for kind, timing in timings.items()
    ]
