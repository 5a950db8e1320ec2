"""Multi-scale inference with DenseCRF, end to end, against the literal way.

    python benchmarks/inference.py --json inference.json

Literal: every view by itself, logits at full resolution, saved as .npy, DenseCRF over all classes
in a second pass, image by image; and the same with that pass on all cores. Ours: the loop of
``tools/test.py --tta --out`` with the fast DenseCRF, which leaves out classes below 0.3. ViT-B/16
has random weights and predicts nothing, so after the forward pass its logits are replaced, on both
sides, by logits made up from the photographs' masks (see `photographs.py`).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.pool import Pool
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.runner import Runner
from mmseg.structures import SegDataSample
from torch import Tensor

sys.path[0] = str(Path(__file__).parents[1])
from benchmarks.case import Case, build_case  # noqa: E402
from benchmarks.literal.images import normalise  # noqa: E402
from benchmarks.literal.inference import multi_scale_logits  # noqa: E402
from benchmarks.photographs import (  # noqa: E402
    DEFAULT_DATA,
    Photograph,
    find_photographs,
    soft_logits,
    upsample,
    voc_sized,
)
from benchmarks.processes import tree_cpu  # noqa: E402
from benchmarks.timing import machine  # noqa: E402
from mmseg_excel.densecrf import DenseCRF  # noqa: E402
from mmseg_excel.inference import LogitTTAModel  # noqa: E402
from mmseg_excel.utils.images import read_rgb  # noqa: E402

NUM_CLASSES = 21
EXACT_CRF = DenseCRF(engine='pydensecrf')
FAST_CRF = dict(type='DenseCRF', min_probability=0.3)  # not exact


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, default=DEFAULT_DATA, help='in VOC layout')
    parser.add_argument('--images', type=int, help='default: 6 on a CPU, 64 on a GPU')
    parser.add_argument('--batch', type=int, default=1, help='images per batch of our loop')
    parser.add_argument('--json', type=Path, required=True)
    return parser.parse_args()


@dataclass
class Task:
    """VOC-sized photographs on disk, and what both ways are to predict.

    Attributes:
        folder: In VOC layout.
        paths: The photographs.
        predictions: Logits by name of the photograph, (n+1, 20, 20).
    """

    folder: Path
    paths: list[Path]
    predictions: dict[str, Tensor]

    def substitute(self, logits: Tensor, path: str | Path) -> Tensor:
        """Logits that were computed, replaced by those made up, at the same size."""
        made_up = self.predictions[Path(path).stem].to(logits)
        return logits * 0 + upsample(made_up, logits.shape[-2:])


def make_task(photographs: list[Photograph], folder: Path) -> Task:
    task = Task(folder, [], {})
    for name in ('JPEGImages', 'SegmentationClass'):
        (folder / name).mkdir(parents=True)
    for seed, photograph in enumerate(photographs):
        stem = photograph.image_path.stem
        image = voc_sized(cv2.imread(str(photograph.image_path)))
        mask = voc_sized(photograph.mask())
        task.paths.append(folder / 'JPEGImages' / f'{stem}.jpg')
        cv2.imwrite(str(task.paths[-1]), image)
        cv2.imwrite(str(folder / 'SegmentationClass' / f'{stem}.png'), mask % NUM_CLASSES)
        task.predictions[stem] = soft_logits(mask, NUM_CLASSES, seed)
    return task


# The literal way ----------------------------------------------------------------------------


def literal_forward(case: Case, task: Task, folder: Path) -> None:
    """First pass: leaves logits in `folder`."""
    folder.mkdir(exist_ok=True)
    for path in task.paths:
        image = torch.from_numpy(read_rgb(str(path)).copy()).permute(2, 0, 1)[None]
        image = normalise(image).to(case.images.device)
        logits = multi_scale_logits(case.literal.eval(), case.clip, image)
        np.save(folder / f'{path.stem}.npy', task.substitute(logits[0], path).cpu().numpy())


def literal_crf(task: Task, folder: Path, pool: Pool | None = None) -> None:
    """Second pass, on all cores if there is a pool: leaves label images in `folder`."""
    jobs = [(path, folder) for path in task.paths]
    if pool:
        pool.starmap(refine_saved, jobs, chunksize=1)
    else:
        for job in jobs:
            refine_saved(*job)


def refine_saved(path: Path, folder: Path) -> None:
    logits = torch.from_numpy(np.load(folder / f'{path.stem}.npy', allow_pickle=False))
    labels = EXACT_CRF(read_rgb(str(path)), logits.softmax(dim=0).numpy()).argmax(axis=0)
    cv2.imwrite(str(folder / f'{path.stem}.png'), labels.astype(np.uint8))


# Our way --------------------------------------------------------------------------------------


class SubstitutingTTAModel(LogitTTAModel):
    """Computes everything, then predicts what the task says."""

    task: Task

    def _with_prediction(self, sample: SegDataSample, logits: Tensor) -> SegDataSample:
        return super()._with_prediction(sample, self.task.substitute(logits, sample.img_path))


def our_way(case: Case, task: Task, folder: Path, batch: int, half: bool) -> None:
    """The test loop: leaves label images in `folder`."""
    model = SubstitutingTTAModel(case.ours.eval(), post_processor=FAST_CRF)
    model.task = task
    runner = Runner(
        model=model,
        work_dir=str(folder / 'work'),
        test_dataloader=dict(
            batch_size=batch, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='BaseSegDataset', data_root=str(task.folder), img_suffix='.jpg',
                seg_map_suffix='.png', test_mode=True,
                data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
                metainfo=dict(classes=[f'class {i}' for i in range(NUM_CLASSES)]),
                pipeline=[dict(type=t) for t in
                          ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs')],
            ),
        ),
        test_evaluator=dict(type='IoUMetric', output_dir=str(folder)),
        test_cfg=dict(type='ResumableTestLoop', fp16=half),
        default_scope='mmseg',
        log_level='WARNING',
        experiment_name=folder.name,
    )  # fmt: skip
    runner.test()


class BusyGPU:
    """The share of time in which the GPU works, sampled as nvidia-smi shows it."""

    def __init__(self) -> None:
        self.samples: list[int] = []
        self._stop = threading.Event()

    def __enter__(self) -> BusyGPU:
        if torch.cuda.is_available():
            threading.Thread(target=self._sample, daemon=True).start()
        return self

    def __exit__(self, *exception) -> None:
        self._stop.set()

    @property
    def share(self) -> float | None:
        return float(np.mean(self.samples)) / 100 if self.samples else None

    def _sample(self) -> None:
        while not self._stop.wait(0.2):
            self.samples.append(torch.cuda.utilization())


# ------------------------------------------------------------------------------------------------


def agreement(folder: Path, other: Path, task: Task) -> float:
    """Share of pixels with the same label in both folders."""
    shares = [
        np.mean(
            cv2.imread(str(folder / f'{path.stem}.png'), cv2.IMREAD_UNCHANGED)
            == cv2.imread(str(other / f'{path.stem}.png'), cv2.IMREAD_UNCHANGED)
        )
        for path in task.paths
    ]
    return float(np.mean(shares))


def measure(args: argparse.Namespace, folder: Path, pool: Pool) -> dict:
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    count = args.images or (64 if device.type == 'cuda' else 6)
    task = make_task(find_photographs(args.data, count), folder / 'data')
    case = build_case(batch=1, device=device)
    literal = folder / 'literal'
    steps: dict[str, Callable[[Task, str], None]] = dict(
        literal_forward=lambda task, _: literal_forward(case, task, literal),
        literal_crf=lambda task, _: literal_crf(task, literal),
        literal_crf_all_cores=lambda task, _: literal_crf(task, literal, pool),
        ours=lambda task, name: our_way(case, task, folder / name, args.batch, half=False),
        ours_half=lambda task, name: our_way(case, task, folder / name, args.batch, half=True),
    )
    for name, step in steps.items():  # once for nothing: start processes, touch all code
        step(Task(task.folder, task.paths[:1], task.predictions), f'{name}_warm')
    clocks = {name: clock(step, task, name) for name, step in steps.items()}
    forward = clocks.pop('literal_forward')
    ways = dict(
        literal=forward + clocks.pop('literal_crf'),
        literal_all_cores=forward + clocks.pop('literal_crf_all_cores'),
        **clocks,
    )
    report = {name: way.report(count) for name, way in ways.items()}
    for name in ('ours', 'ours_half'):
        report[name]['agreement'] = agreement(folder / name, literal, task)
        for baseline in ('literal', 'literal_all_cores'):
            report[name][f'speedup_over_{baseline}'] = ways[baseline].wall / ways[name].wall
        report[name]['cpu_speedup'] = ways['literal'].cpu / ways[name].cpu
    return dict(machine=machine(device), images=count, batch=args.batch, ways=report)


@dataclass
class Clock:
    """Seconds on the wall and on all processors, and the GPU's busy share."""

    wall: float
    cpu: float
    gpu_busy: float | None

    def __add__(self, other: Clock) -> Clock:
        return Clock(self.wall + other.wall, self.cpu + other.cpu, self.gpu_busy)

    def report(self, count: int) -> dict:
        return dict(
            seconds_per_image=self.wall / count,
            cpu_seconds_per_image=self.cpu / count,
            images_per_second=count / self.wall,
            gpu_busy=self.gpu_busy,
        )


def clock(step: Callable[[Task, str], None], task: Task, name: str) -> Clock:
    wall, cpu = time.perf_counter(), tree_cpu()
    with BusyGPU() as gpu:
        step(task, name)
    return Clock(time.perf_counter() - wall, tree_cpu() - cpu, gpu.share)


def main() -> None:
    args = parse_args()
    # Not forked from our workers' server, which would then start without what they preload.
    context = multiprocessing.get_context('spawn')
    with (
        tempfile.TemporaryDirectory() as folder,
        context.Pool(initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        results = measure(args, Path(folder), pool)
    args.json.write_text(json.dumps(results, indent=2))
    for name, way in results['ways'].items():
        print(name, {key: round(value, 4) for key, value in way.items() if value is not None})


if __name__ == '__main__':
    main()
