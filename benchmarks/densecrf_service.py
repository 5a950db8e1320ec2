"""DenseCRF at scale: fewer classes, more workers, flat memory, nothing but labels on disk.

    python benchmarks/densecrf_service.py --json service.json

The service is measured with the fast DenseCRF, which leaves out classes below 0.3 and is not exact.
Photographs are real; predictions are made up from their masks (see `photographs.py`).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor, nn

sys.path[0] = str(Path(__file__).parents[1])
from benchmarks.photographs import (  # noqa: E402
    DEFAULT_DATA,
    Photograph,
    find_photographs,
    soft_logits,
    upsample,
)
from benchmarks.processes import tree_memory, tree_written  # noqa: E402
from benchmarks.timing import machine  # noqa: E402
from mmseg_excel.densecrf import CRFPool, DenseCRF  # noqa: E402
from mmseg_excel.utils.images import read_rgb  # noqa: E402

FAST_CRF = DenseCRF(min_probability=0.3)  # not exact
THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
STREAM_CLASSES = 23
STREAM_PHOTOGRAPHS = 16  # again and again: all their predictions are kept ready


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, default=DEFAULT_DATA, help='in VOC layout')
    parser.add_argument('--images', type=int, default=100, help='for agreement and speed')
    parser.add_argument('--scaling', type=int, default=200, help='images for the workers')
    parser.add_argument('--stream', type=int, default=2000, help='images for memory and disk')
    parser.add_argument('--json', type=Path, required=True)
    return parser.parse_args()


# Fewer classes ------------------------------------------------------------------------------


def compare_thresholds(photographs: list[Photograph], num_classes: int) -> dict:
    """Full CRF and each threshold in turn on every photograph."""
    exact = DenseCRF()
    full = Tally()
    tallies = {threshold: Tally() for threshold in THRESHOLDS}
    for seed, photograph in enumerate(photographs):
        image, probabilities = predict(photograph, num_classes, seed)
        expected = full.measure(exact, image, probabilities)
        for threshold, tally in tallies.items():
            tally.measure(DenseCRF(min_probability=threshold), image, probabilities, expected)
    return {
        'full': full.report(),
        'thresholds': {
            str(threshold): tally.report() | tally.speedup_over(full)
            for threshold, tally in tallies.items()
        },
    }


def predict(photograph: Photograph, num_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    mask = photograph.mask()
    logits = upsample(soft_logits(mask, num_classes, seed), mask.shape)
    return read_rgb(str(photograph.image_path)), logits.softmax(dim=0).numpy()


class Tally:
    """Seconds, classes kept, and agreement with the full CRF, over photographs."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []
        self.kept: list[int] = []
        self.agreement: list[float] = []
        self.pixels: list[int] = []

    def measure(self, crf: DenseCRF, image, probabilities, expected=None) -> np.ndarray:
        wall, cpu = time.perf_counter(), time.process_time()
        labels = crf(image, probabilities).argmax(axis=0)
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)
        self.kept.append(len(crf.select_classes(probabilities.max(axis=(1, 2)))))
        self.agreement.append(1.0 if expected is None else float((labels == expected).mean()))
        self.pixels.append(labels.size)
        return labels

    def report(self) -> dict:
        return dict(
            seconds_per_image=float(np.mean(self.wall)),
            cpu_seconds_per_image=float(np.mean(self.cpu)),
            classes_kept=float(np.mean(self.kept)),
            agreement=float(np.average(self.agreement, weights=self.pixels)),
            agreement_of_worst_image=min(self.agreement),
        )

    def speedup_over(self, other: Tally) -> dict:
        return dict(
            speedup=sum(other.wall) / sum(self.wall), cpu_speedup=sum(other.cpu) / sum(self.cpu)
        )


# The service --------------------------------------------------------------------------------


class DeviceStandIn(nn.Module):
    """Yields ready predictions at a fixed rate, as a GPU would, at next to no cost."""

    def __init__(self, predictions: dict[str, Tensor], images_per_second: float) -> None:
        super().__init__()
        self.predictions = predictions
        self.interval = 1 / images_per_second
        self.next_tick = 0.0
        self.post_processor = FAST_CRF

    def test_step(self, data: dict) -> list[SegDataSample]:
        [sample] = data['data_samples']
        self.next_tick = max(self.next_tick, time.monotonic()) + self.interval
        time.sleep(max(0.0, self.next_tick - time.monotonic()))
        logits = self.predictions[Path(sample.img_path).resolve().stem]
        sample.seg_logits = PixelData(data=logits)
        return [sample]


class WatchHook(Hook):
    """Notes memory and disk of all processes together every 100 images."""

    def __init__(self) -> None:
        self.memory: dict[int, int] = {}
        self.written: dict[int, int] = {}

    def after_test_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        done = batch_idx + 1
        if done % 100 == 0:
            self.memory[done] = tree_memory()
            self.written[done] = tree_written()


def test_stream(
    photographs: list[Photograph], count: int, workers: int, folder: Path, rate: float = 1000.0
) -> dict:
    """Test `count` images through the loop; images per second, memory, disk."""
    photographs = photographs[:STREAM_PHOTOGRAPHS]
    data = link_data(photographs, count, folder / 'data')
    watch = WatchHook()
    runner = Runner(
        model=DeviceStandIn(predictions_of(photographs), rate),
        work_dir=str(folder / 'work'),
        test_dataloader=dict(
            batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='BaseSegDataset', data_root=str(data), img_suffix='.jpg',
                seg_map_suffix='.png', test_mode=True,
                data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
                metainfo=dict(classes=[f'class {i}' for i in range(STREAM_CLASSES)]),
                pipeline=[dict(type=t) for t in
                          ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs')],
            ),
        ),
        test_evaluator=dict(type='ConfusionMatrixMetric', output_dir=str(folder / 'labels')),
        test_cfg=dict(type='ResumableTestLoop', workers=workers),
        custom_hooks=[watch],
        default_scope='mmseg',
        experiment_name=folder.name,
    )  # fmt: skip
    start = time.perf_counter()
    runner.test()
    seconds = time.perf_counter() - start
    labels = list((folder / 'labels').glob('*.png'))
    return dict(
        workers=workers,
        images=count,
        labels=len(labels),
        images_per_second=count / seconds,
        memory_by_images=watch.memory,
        written_by_images=watch.written,
        label_bytes=sum(path.stat().st_size for path in labels),
    )


def link_data(photographs: list[Photograph], count: int, folder: Path) -> Path:
    """`count` differently named links to the photographs, in VOC layout."""
    for name in ('JPEGImages', 'SegmentationClass'):
        (folder / name).mkdir(parents=True)
    for index in range(count):
        photograph = photographs[index % len(photographs)]
        stem = f'{index:05d}'
        (folder / 'JPEGImages' / f'{stem}.jpg').symlink_to(photograph.image_path.resolve())
        (folder / 'SegmentationClass' / f'{stem}.png').symlink_to(photograph.mask_path.resolve())
    return folder


def predictions_of(photographs: list[Photograph]) -> dict[str, Tensor]:
    """Logits by name, at the size of the photograph."""
    predictions = {}
    for seed, photograph in enumerate(photographs):
        mask = photograph.mask()
        logits = upsample(soft_logits(mask, STREAM_CLASSES, seed), mask.shape)
        predictions[photograph.image_path.stem] = logits
    return predictions


def scaling(photographs: list[Photograph], count: int, folder: Path) -> dict:
    runs = {
        workers: test_stream(photographs, count, workers, folder / f'workers{workers}')
        for workers in (1, 2)
    }
    ratio = runs[2]['images_per_second'] / runs[1]['images_per_second']
    return dict(one=runs[1], two=runs[2], ratio=ratio)


def stream(photographs: list[Photograph], count: int, folder: Path) -> dict:
    run = test_stream(photographs, count, 2, folder / 'stream')
    early = max(memory for images, memory in run['memory_by_images'].items() if images <= 200)
    late = max(run['memory_by_images'].values())
    return run | dict(memory_growth_after_200=late / early - 1)


def warm_up(photographs: list[Photograph]) -> None:
    """Start the server that workers fork from, once for all runs."""
    with CRFPool(FAST_CRF, workers=1) as pool:
        image, probabilities = predict(photographs[0], STREAM_CLASSES, 0)
        pool.submit(str(photographs[0].image_path), torch.from_numpy(probabilities)).result()


# ------------------------------------------------------------------------------------------------


def lines_of(results: dict) -> Iterator[str]:
    for num_classes, comparison in results['restriction'].items():
        yield f'{num_classes} classes: {comparison["full"]["seconds_per_image"]:.2f} s an image'
        for threshold, row in comparison['thresholds'].items():
            yield (
                f'  from {threshold}: {row["classes_kept"]:.1f} classes, '
                f'{100 * row["agreement"]:.3f} % agree, {row["speedup"]:.1f} times faster '
                f'({row["cpu_speedup"]:.1f} in processor time)'
            )
    scale, run = results['scaling'], results['stream']
    yield f'two workers: {scale["ratio"]:.2f} times one worker'
    yield (
        f'{run["images"]} images: memory grew by {100 * run["memory_growth_after_200"]:.1f} % '
        f'after the first 200; {run["label_bytes"] / 1e6:.1f} MB of labels'
    )


def main() -> None:
    args = parse_args()
    torch.set_num_threads(1)
    photographs = find_photographs(args.data, args.images)
    results: dict = dict(machine=machine(torch.device('cpu')), restriction={})
    for num_classes in (21, 81):
        results['restriction'][num_classes] = compare_thresholds(photographs, num_classes)
    warm_up(photographs)
    with tempfile.TemporaryDirectory() as folder:
        results['scaling'] = scaling(photographs, args.scaling, Path(folder))
        results['stream'] = stream(photographs, args.stream, Path(folder))
    args.json.write_text(json.dumps(results, indent=2))
    print('\n'.join(lines_of(results)))


if __name__ == '__main__':
    main()
