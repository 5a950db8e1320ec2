"""How much faster the confusion matrix counts than MMSegmentation's IoUMetric, same scores.

    python -m benchmarks.metrics

Label maps of 500x375 pixels with 81 classes, as a data loader and a model hand them over (int64).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from mmseg.evaluation import IoUMetric

from mmseg_excel.evaluation import ConfusionMatrixMetric

HEIGHT, WIDTH, NUM_CLASSES = 375, 500, 81


def make_sample(generator: torch.Generator) -> dict:
    """A label map of blobs with lines of 255, and a prediction right on four pixels in five."""
    coarse = torch.randint(0, NUM_CLASSES, (1, 1, 6, 8), generator=generator)
    truth = torch.nn.functional.interpolate(coarse.float(), (HEIGHT, WIDTH))[0].long()
    guess = torch.randint(0, NUM_CLASSES, truth.shape, generator=generator)
    wrong = torch.rand(truth.shape, generator=generator) < 0.2
    prediction = torch.where(wrong, guess, truth)
    truth[:, ::50] = 255
    return dict(pred_sem_seg=dict(data=prediction), gt_sem_seg=dict(data=truth))


def milliseconds_per_image(metric: BaseMetric, samples: Sequence[dict], repeats: int) -> float:
    metric.dataset_meta = dict(classes=[str(number) for number in range(NUM_CLASSES)])
    timings = [_seconds(lambda: metric.process({}, samples)) for _ in range(repeats)]
    return 1000 * statistics.median(timings) / len(samples)


def _seconds(function: Callable[[], None]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--images', type=int, default=20)
    parser.add_argument('--repeats', type=int, default=9)
    args = parser.parse_args()
    MMLogger.get_instance('benchmark', log_level='ERROR')
    generator = torch.Generator().manual_seed(0)
    samples = [make_sample(generator) for _ in range(args.images)]
    for sample in samples:
        for item in sample.values():
            item['data'] = item['data'].to(args.device)

    theirs, ours = IoUMetric(), ConfusionMatrixMetric()
    slow = milliseconds_per_image(theirs, samples, args.repeats)
    fast = milliseconds_per_image(ours, samples, args.repeats)
    size = args.images * args.repeats
    expected, scores = theirs.evaluate(size), ours.evaluate(size)
    for name in ('aAcc', 'mIoU', 'mAcc'):
        assert abs(expected[name] - scores[name]) < 0.01, (name, expected, scores)
    print(
        f'{slow:.2f} ms an image with IoUMetric, {fast:.2f} ms with ConfusionMatrixMetric: '
        f'{slow / fast:.1f} times faster, mIoU {scores["mIoU"]:.2f} with both'
    )


if __name__ == '__main__':
    main()
