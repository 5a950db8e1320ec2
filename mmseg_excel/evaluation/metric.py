"""The evaluator: mIoU and its relatives from one confusion matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import all_reduce, get_rank, get_world_size, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmseg.registry import METRICS

from ..datasets.masks import write_mask
from ..ops.transfer import is_at_hand, to_device
from ..utils.bad_input import BadInput
from ..utils.checks import check_flag, check_text
from .confusion import LABELS, Scores, confusion_matrix, count_pairs, has_strange_labels
from .report import Report, check_published


@METRICS.register_module()
class ConfusionMatrixMetric(BaseMetric):
    """mIoU, precision, recall and confusion ratio, per class and as means.

    Counts on the device of the predictions, for which nobody waits before the end: what is wrong
    there with a label is said then. Processes exchange one small matrix. Agrees
    with mmseg's ``IoUMetric`` on ``aAcc``, ``mIoU``, ``mAcc`` and adds ``mPrecision``,
    ``mRecall`` (all in percent) and ``mConfusion`` (FP / TP, docs/method.md, section 9). Classes
    that appear nowhere are left out of the means. Predicted labels of 255 count as missed only.

    Args:
        output_dir: Folder for the predictions as palette PNGs. Default: None.
        table_dir: Folder for the scores as CSV, LaTeX and JSON. Default: None.
        published: Published rows to stand beside ours: ``'voc_val'``. Default: None.
        keep_results: Set by MMSegmentation's ``tools/test.py --out``; predictions are always kept.
        prefix: Of the names of the scores. Default: None.

    Raises:
        BadInput: an argument cannot be used; an image has no mask, a label is not a class, or a
            prediction has another size than its truth, which names the image.
    """

    def __init__(
        self,
        *,
        output_dir: str | None = None,
        table_dir: str | None = None,
        published: str | None = None,
        keep_results: bool = True,
        prefix: str | None = None,
    ) -> None:
        for name, value in (
            ('output_dir', output_dir),
            ('table_dir', table_dir),
            ('prefix', prefix),
        ):
            if value is not None:
                check_text(f'ConfusionMatrixMetric.{name}', value)
        check_flag('ConfusionMatrixMetric.keep_results', keep_results)
        check_published(published)
        super().__init__(prefix=prefix)
        self.output_dir = output_dir
        self.table_dir = table_dir
        self.published = published
        self._reset()

    def _reset(self) -> None:
        # Of all samples but the latest, by the device they were counted on: what an interrupted
        # run has left is counted on the host.
        self._pairs: dict[torch.device, torch.Tensor] = {}
        self._latest: torch.Tensor | None = None
        self._names: list[str] = []
        self._first_strange: torch.Tensor | None = None  # index of a sample with a strange label

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Count the pixels of a batch."""
        for sample in data_samples:
            prediction = sample['pred_sem_seg']['data'][0]
            if self._latest is not None:
                where = self._latest.device
                self._pairs[where] = self._pairs.get(where, 0) + self._latest
            self._latest = self._count(sample, prediction)
            if self.output_dir:
                name = sample.get('name') or Path(sample['img_path']).stem
                self._write(self.output_dir, name, prediction)

    def _count(self, sample: dict, prediction: torch.Tensor) -> torch.Tensor:
        """Pairs of labels of an image, see :func:`count_pairs`."""
        name = sample.get('img_path', 'An image')
        if 'gt_sem_seg' not in sample:
            raise BadInput(
                f'{name} has no mask to be evaluated with: name their folder, '
                "data_prefix['seg_map_path']."
            )
        truth = sample['gt_sem_seg']['data'][0]
        # Refined labels come from the host while the truth went to the device with its image.
        device = truth.device if is_at_hand(prediction) else prediction.device
        truth, prediction = to_device(truth, device), to_device(prediction, device)
        with _naming(name):
            pairs = count_pairs(truth, prediction)
            if is_at_hand(pairs):
                confusion_matrix(pairs, self._num_classes)
            else:
                self._note_strange_labels(pairs)
        self._names.append(name)
        return pairs

    def _note_strange_labels(self, pairs: torch.Tensor) -> None:
        never = torch.full((), torch.iinfo(torch.int64).max, device=pairs.device)
        if self._first_strange is None:
            self._first_strange = never
        strange = has_strange_labels(pairs, self._num_classes)
        found = torch.where(strange, len(self._names), never)
        self._first_strange = torch.minimum(self._first_strange, found)

    @property
    def _num_classes(self) -> int:
        return len(self.dataset_meta['classes'])

    def _write(self, folder: str, name: str, prediction: torch.Tensor) -> None:
        path = Path(folder) / f'{name}.png'
        mask = prediction.cpu().numpy().astype(np.uint8)
        write_mask(path, mask, self.dataset_meta.get('palette'))

    def evaluate(self, size: int) -> dict[str, float]:
        """Scores over all processes, the same on each.

        Args:
            size: Number of samples of the data set. Samplers repeat some samples so that every
                process gets as many; these do not count twice.
        """
        matrix = self._matrix_of_all(size)
        self._reset()
        scores = self.compute_metrics([matrix])
        return {f'{self.prefix}/{name}' if self.prefix else name: scores[name] for name in scores}

    def _matrix_of_all(self, size: int) -> torch.Tensor:
        pairs = torch.zeros(LABELS, LABELS, dtype=torch.int64)
        for counted in self._pairs.values():
            pairs += counted.cpu()
        # Samples go round the processes in turn, so this is where the latest one stands.
        latest = (len(self._names) - 1) * get_world_size() + get_rank()
        if latest < size and self._latest is not None:
            pairs += self._latest.cpu()
        matrix = self._matrix_of(pairs)
        all_reduce(matrix)
        return matrix

    def _matrix_of(self, pairs: torch.Tensor) -> torch.Tensor:
        if self._first_strange is None:
            return confusion_matrix(pairs, self._num_classes)
        first = int(self._first_strange)
        with _naming(self._names[first] if first < len(self._names) else ''):
            return confusion_matrix(pairs, self._num_classes)

    def compute_metrics(self, results: list[torch.Tensor]) -> dict[str, float]:
        """Scores of the summed matrices; the main process prints and writes them."""
        scores = Scores.from_confusion(sum(results))
        if is_main_process():
            report = Report(scores, self.dataset_meta['classes'], self.published)
            print_log('\n' + report.terminal(), 'current')
            if self.table_dir:
                report.write(self.table_dir)
        return scores.means()


@contextmanager
def _naming(image: str) -> Iterator[None]:
    """Say which image is bad."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f'{image}: {error}.') from None
