"""How much faster two processes prepare COCO than one, and whether memory grows with the images.

    python -m benchmarks.prepare_coco

Draws COCO-like downloads of 500 and 2 000 images (640x480, seven objects each) and prepares them
in processes of their own. Peak memory is that of the largest process.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.datasets.coco_download import make_coco_download


def prepare(root: Path, workers: int) -> float:
    """Seconds of one fresh run."""
    for made in ('SegmentationClass', 'tags', 'ImageSets'):
        shutil.rmtree(root / made, ignore_errors=True)
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, 'tools/prepare_coco.py', root, '--splits', 'train', '--any-size']
        + ['--workers', str(workers)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def peak_mebibytes() -> float:
    """Of the largest child process so far."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=int, nargs=2, default=(500, 2000))
    parser.add_argument('--repeats', type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for num_images in args.images:
            root = Path(folder) / str(num_images)
            make_coco_download(root, 'train', num_images, size=(480, 640), num_objects=7)
            seconds = {
                workers: min(prepare(root, workers) for _ in range(args.repeats))
                for workers in (2, 1)
            }
            print(
                f'{num_images:5} images: {seconds[1]:6.1f} s on one process, '
                f'{seconds[2]:6.1f} s on two ({seconds[1] / seconds[2]:.2f} times faster), '
                f'peak memory {peak_mebibytes():.0f} MiB',
                flush=True,
            )


if __name__ == '__main__':
    main()
