"""DenseCRF's engines beside pydensecrf, all classes: agreement of labels, time and memory.

    python benchmarks/densecrf.py --json densecrf.json

Photographs are real; predictions are made up from their masks (see `photographs.py`). Agreement is
counted at the photographs' own size, time and memory at 375x500 pixels, on one thread. Counts are
kept beside the result (densecrf.counts.jsonl), so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

sys.path[0] = str(Path(__file__).parents[1])
from benchmarks.photographs import (  # noqa: E402
    DEFAULT_DATA,
    Photograph,
    find_photographs,
    soft_logits,
    upsample,
    voc_sized,
)
from benchmarks.timing import interleaved, machine, process_peak  # noqa: E402
from mmseg_excel.densecrf import CLIPESDenseCRF, DenseCRF  # noqa: E402
from mmseg_excel.densecrf.engines import PACKAGES  # noqa: E402
from mmseg_excel.utils.images import read_rgb  # noqa: E402

REFERENCE = 'pydensecrf'
COCO_IMAGES = 40_504  # of val 2014
CORES = 16

Build = Callable[..., DenseCRF]
SETTINGS: dict[str, Build] = {
    'ExCEL': DenseCRF,
    'WeCLIP': partial(
        DenseCRF, gaussian=dict(sxy=3, compat=3), bilateral=dict(sxy=64, srgb=5, compat=4)
    ),
    'CLIP-ES': CLIPESDenseCRF,
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    others = [name for name in PACKAGES if name != REFERENCE]
    parser.add_argument('--data', type=Path, default=DEFAULT_DATA, help='in VOC layout')
    parser.add_argument('--engines', nargs='+', choices=others, default=others)
    parser.add_argument('--classes', type=int, nargs='+', default=[21, 81])
    parser.add_argument('--images', type=int, default=100, help='for agreement')
    parser.add_argument('--timed', type=int, default=4, help='images for time')
    parser.add_argument('--repeats', type=int, default=3, help='of each timed image')
    parser.add_argument('--json', type=Path, required=True)
    return parser.parse_args()


@dataclass
class Prediction:
    """A photograph, uint8 (H, W, 3), and soft predictions of it, float32 (n+1, H, W)."""

    image: np.ndarray
    probabilities: np.ndarray


def predict(
    photograph: Photograph, num_classes: int, seed: int, enlarged: bool = False
) -> Prediction:
    image, mask = read_rgb(str(photograph.image_path)), photograph.mask()
    if enlarged:
        image, mask = voc_sized(image), voc_sized(mask)
    logits = upsample(soft_logits(mask, num_classes, seed), mask.shape)
    return Prediction(np.ascontiguousarray(image), logits.softmax(dim=0).numpy())


# Agreement ----------------------------------------------------------------------------------


class Counts:
    """Pixels that differ from the reference's labels, one row a photograph, kept in a file.

    Args:
        path: Of the file; what it holds is not counted again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self._rows: list[dict] = [json.loads(line) for line in lines]

    def of(self, **what: object) -> list[dict]:
        return [row for row in self._rows if what.items() <= row.items()]

    def add(self, **row: object) -> None:
        self._rows.append(row)
        with self._path.open('a') as file:
            file.write(json.dumps(row) + '\n')

    def report(self, **what: object) -> dict:
        rows = self.of(**what)
        different, pixels = (
            np.array([row[key] for row in rows]) for key in ('different', 'pixels')
        )
        return dict(
            images=len(rows),
            pixels=int(pixels.sum()),
            different=int(different.sum()),
            agreement=float(1 - different.sum() / pixels.sum()),
            agreement_of_worst_image=float(1 - (different / pixels).max()),
        )


def count(photograph: Photograph, engines: list[str], counts: Counts, **what: Any) -> None:
    """Compare the labels of engines that have not been, for a number of classes and a seed."""
    given = predict(photograph, what['classes'], what['seed'])
    for setting, build in SETTINGS.items():
        key = dict(photograph=photograph.image_path.name, setting=setting, **what)
        missing = [engine for engine in engines if not counts.of(engine=engine, **key)]
        if not missing:
            continue
        expected = build(engine=REFERENCE).label(given.image, given.probabilities)
        for engine in missing:
            labels = build(engine=engine).label(given.image, given.probabilities)
            different = int((labels != expected).sum())
            counts.add(engine=engine, **key, different=different, pixels=labels.size)


def agreements(
    photographs: list[Photograph], num_classes: int, engines: list[str], counts: Counts
) -> dict[str, dict]:
    # A photograph's prediction depends on its place among those chosen.
    what = dict(classes=num_classes, images=len(photographs))
    for seed, photograph in enumerate(photographs):
        count(photograph, engines, counts, seed=seed, **what)
    return {
        setting: {
            engine: counts.report(setting=setting, engine=engine, **what) for engine in engines
        }
        for setting in SETTINGS
    }


# Time and memory ----------------------------------------------------------------------------


def times(
    photographs: list[Photograph], num_classes: int, engines: list[str], repeats: int
) -> dict[str, dict]:
    """Seconds an image of each engine, measured in turn, with the settings of ExCEL."""
    names = [REFERENCE, *engines]
    sums = {name: dict(wall=0.0, cpu=0.0) for name in names}
    for seed, photograph in enumerate(photographs):
        given = predict(photograph, num_classes, seed, enlarged=True)
        runs = {
            name: partial(DenseCRF(engine=name).label, given.image, given.probabilities)
            for name in names
        }
        for name, timing in interleaved(runs, repeats).items():
            sums[name]['wall'] += timing.wall / len(photographs)
            sums[name]['cpu'] += timing.cpu / len(photographs)
    return {
        name: seconds | dict(cpu_of_reference=seconds['cpu'] / sums[REFERENCE]['cpu'])
        for name, seconds in sums.items()
    }


def peak_memory(photograph: Photograph, num_classes: int, engine: str) -> int:
    """The most bytes of a fresh process beyond those it had with programs and prediction."""
    torch.set_num_threads(1)
    given = predict(photograph, num_classes, 0, enlarged=True)
    crf = DenseCRF(engine=engine)
    crf.label(given.image[:8, :8], given.probabilities[:, :8, :8])
    before = process_peak(lambda: None)
    return process_peak(lambda: crf.label(given.image, given.probabilities)) - before


def memories(photograph: Photograph, num_classes: int, engines: list[str]) -> dict[str, int]:
    results = {}
    for engine in (REFERENCE, *engines):
        with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as process:
            results[engine] = process.submit(peak_memory, photograph, num_classes, engine).result()
    return results


# ------------------------------------------------------------------------------------------------


def compare(args: argparse.Namespace, num_classes: int, counts: Counts) -> dict:
    photographs = find_photographs(args.data, args.images)
    timed = photographs[:: max(1, len(photographs) // args.timed)][: args.timed]
    return dict(
        times=times(timed, num_classes, args.engines, args.repeats),
        memory=memories(timed[0], num_classes, args.engines),
        agreement=agreements(photographs, num_classes, args.engines, counts),
    )


def lines_of(num_classes: int, result: dict) -> Iterator[str]:
    yield f'{num_classes} classes'
    for engine, seconds in result['times'].items():
        hours = COCO_IMAGES * seconds['cpu'] / CORES / 3600
        yield (
            f'  {engine}: {seconds["cpu"]:.2f} s of a core an image, '
            f'{seconds["cpu_of_reference"]:.2f} of {REFERENCE}, '
            f'{result["memory"][engine] / 1e6:.0f} MB; COCO on {CORES} cores: {hours:.1f} h'
        )
    for setting, engines in result['agreement'].items():
        for engine, row in engines.items():
            yield (
                f'  {setting}, {engine}: {row["different"]} of {row["pixels"]} pixels differ, '
                f'{100 * row["agreement"]:.4f} % agree, worst image '
                f'{100 * row["agreement_of_worst_image"]:.3f} %'
            )


def main() -> None:
    args = parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    counts = Counts(args.json.with_suffix('.counts.jsonl'))
    results: dict = dict(machine=machine(torch.device('cpu')), classes={})
    for num_classes in args.classes:
        results['classes'][num_classes] = result = compare(args, num_classes, counts)
        print('\n'.join(lines_of(num_classes, result)), flush=True)
    args.json.write_text(json.dumps(results, indent=2))


if __name__ == '__main__':
    main()
