"""How much faster two processes prepare COCO than one, and whether memory grows with the images.

    python -m benchmarks.prepare_coco

Draws COCO-like downloads of 500 and 2 000 images (640x480, seven objects each) and prepares each
in a fresh process, with one worker and with two. Seconds are those of the work, without the import
of the package; peak memory is that of the largest process, import included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.datasets.coco_download import make_coco_download

RUN = """
import json, resource, shutil, sys, time
from benchmarks.processes import proc_number
from mmseg_excel.datasets.prepare.coco import prepare_coco
root, workers = sys.argv[1], int(sys.argv[2])
for made in ('SegmentationClass', 'tags', 'ImageSets'):
    shutil.rmtree(f'{root}/{made}', ignore_errors=True)
start = time.perf_counter()
prepare_coco(root, splits=['train'], workers=workers, any_size=True)
seconds = time.perf_counter() - start
# Of this process not ru_maxrss, which begins at that of the process that started it.
own = proc_number('self', 'status', 'VmHWM')
largest_worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([seconds, max(own, largest_worker) / 1024]))
"""


def prepare(root: Path, workers: int) -> tuple[float, float]:
    """Seconds and peak MiB of one run."""
    command = [sys.executable, '-W', 'ignore', '-c', RUN, str(root), str(workers)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return tuple(json.loads(output.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=int, nargs='+', default=(500, 2000))
    parser.add_argument('--repeats', type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for num_images in args.images:
            root = Path(folder) / str(num_images)
            make_coco_download(root, 'train', num_images, size=(480, 640), num_objects=7)
            # Alternating, so that both see the same disturbances.
            runs = [(prepare(root, 1), prepare(root, 2)) for _ in range(args.repeats)]
            (one, memory_one), (two, memory_two) = (
                min(column) for column in zip(*runs, strict=True)
            )
            print(
                f'{num_images:5} images: {one:5.1f} s on one process ({memory_one:.0f} MiB), '
                f'{two:5.1f} s on two ({memory_two:.0f} MiB each at most): '
                f'{one / two:.2f} times faster',
                flush=True,
            )


if __name__ == '__main__':
    main()
