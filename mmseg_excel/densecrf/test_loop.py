"""The test loop: a GPU predicts and refines; beside the CPU, worker processes refine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from mmengine.evaluator import Evaluator
from mmengine.registry import LOOPS
from mmengine.runner import Runner, TestLoop
from mmengine.runner.amp import autocast
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor
from torch.utils.data import DataLoader

from ..datasets.identity import check_apart
from ..utils.bad_input import BadInput
from ..utils.building import build_optional
from ..utils.checks import check_flag, shown
from ..utils.distributed import unwrapped
from .dense_crf import DenseCRF
from .device_refiner import Labels, Refiner, device_of, refiner_of
from .pool import check_pool_size
from .progress import Progress
from .stored_labels import StoredLabels, made_with, output_folder


@dataclass(eq=False)
class Batch:
    """A batch on its way to the evaluator.

    Attributes:
        data: What the data loader gave.
        samples: The predictions.
        labels: Per sample, its refined label map to come; empty if the samples are complete.
        recalled: Whether the predictions come from an interrupted run.
    """

    data: dict
    samples: list[SegDataSample]
    labels: Sequence[Labels] = field(default_factory=list)
    recalled: bool = False

    @property
    def ready(self) -> bool:
        """Whether nothing is to be waited for."""
        return all(label.done() for label in self.labels)

    def complete(self) -> None:
        """Put the refined labels into the samples; waits for them."""
        for sample, label in zip(self.samples, self.labels, strict=False):
            sample.pred_sem_seg = PixelData(data=torch.from_numpy(label.result()).long()[None])


@LOOPS.register_module()
class ResumableTestLoop(TestLoop):
    """MMEngine's test loop with DenseCRF, and resumable.

    The loop takes over the model's ``post_processor`` (``LogitTTAModel`` has one). On a GPU it
    refines between two batches, and labels alone leave the device; beside a model on the CPU, or
    with an engine that needs the CPU, worker processes refine the last images while the next ones
    are predicted. Every image reaches the evaluator exactly once, as soon as it is finished. With
    label images written to the evaluator's ``output_dir`` (``tools/test.py --out``), a run that was
    interrupted goes on where it stopped.

    Args:
        runner: The runner.
        dataloader: Data loader or its config.
        evaluator: Evaluator or its config.
        fp16: Whether to predict in half precision (bfloat16 on CPUs). Default: False.
        post_processor: Config of a :class:`DenseCRF` to use instead of the model's own.
        workers: Processes that refine, where it is not the GPU. Default: one a core.
        queue_size: Images that may be in work or waiting. Default: four a worker.

    Raises:
        ValueError: An image cannot be refined, or ``output_dir`` holds labels of another run.
        RuntimeError: A worker died at an image, and so did the next one.

    Example:
        >>> test_cfg = dict(type='ResumableTestLoop', workers=8)
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list,
        fp16: bool = False,
        post_processor: dict | None = None,
        workers: int | None = None,
        queue_size: int | None = None,
    ) -> None:
        check_flag('ResumableTestLoop.fp16', fp16)
        check_pool_size('ResumableTestLoop', workers, queue_size)
        setting = 'ResumableTestLoop.post_processor'
        self.post_processor = build_optional(MODELS, setting, post_processor)
        if not isinstance(self.post_processor, DenseCRF | None):
            raise BadInput(
                f'{setting} is {shown(post_processor)}, but must be a DenseCRF: give any other '
                'one to the model.'
            )
        self.workers = workers
        self.queue_size = queue_size
        super().__init__(runner, dataloader, evaluator, fp16)

    def run(self) -> dict:
        """Test the model; the evaluator's metrics."""
        self.runner.call_hook('before_test')
        self.runner.call_hook('before_test_epoch')
        self.runner.model.eval()
        with self._refining() as refiner:
            self._test_all(refiner)
            if refiner and refiner.crf.remark:
                self.runner.logger.warning(refiner.crf.remark)
        metrics = self.evaluator.evaluate(len(self.dataloader.dataset))
        self.runner.call_hook('after_test_epoch', metrics=metrics)
        self.runner.call_hook('after_test')
        return metrics

    def _test_all(self, refiner: Refiner | None) -> None:
        folder = output_folder(self.evaluator)
        stored = self._stored_labels(folder, refiner) if folder else None
        progress = Progress(len(self.dataloader.sampler), self.runner.logger)
        pending: list[Batch] = []
        delivered = 0
        for batch in self._batches(refiner, stored):
            for ready in [earlier for earlier in pending if earlier.ready]:
                pending.remove(ready)
                self._deliver(ready, delivered, refiner, progress)
                delivered += 1
            # The newest is not delivered yet, so the last batch of all stays the last. In
            # distributed tests it may repeat images, which MMEngine drops by their position.
            pending.append(batch)
        for batch in pending:
            self._deliver(batch, delivered, refiner, progress)
            delivered += 1

    def _stored_labels(self, folder: str, refiner: Refiner | None) -> StoredLabels:
        check_apart(folder, self.dataloader.dataset)
        return StoredLabels(
            folder, made_with(self.runner, refiner.crf if refiner else None, self.fp16)
        )

    def _batches(self, refiner: Refiner | None, stored: StoredLabels | None) -> Iterator[Batch]:
        """Predict, or recall, one batch after the other."""
        for index, data in enumerate(self.dataloader):
            self.runner.call_hook('before_test_iter', batch_idx=index, data_batch=data)
            samples = _samples_of(data)
            if stored and stored.recall(samples):
                yield Batch(data, samples, recalled=True)
            else:
                yield self._predict(data, refiner)

    @torch.no_grad()
    def _predict(self, data: dict, refiner: Refiner | None) -> Batch:
        """Predict a batch and hand its images to what refines."""
        with autocast(enabled=self.fp16):
            samples = self.runner.model.test_step(data)
        if refiner is None:
            return Batch(data, samples)
        return Batch(data, samples, labels=refiner.submit_all(map(_handed_over, samples)))

    def _deliver(
        self, batch: Batch, index: int, refiner: Refiner | None, progress: Progress
    ) -> None:
        """Hand a batch to evaluator and hooks, as the ``index``-th one."""
        batch.complete()
        self.evaluator.process(data_samples=batch.samples, data_batch=batch.data)
        self.runner.call_hook(
            'after_test_iter', batch_idx=index, data_batch=batch.data, outputs=batch.samples
        )
        if batch.recalled:
            progress.recalled(len(batch.samples))
        else:
            progress.computed(len(batch.samples), refiner.queue_length if refiner else 0)

    @contextmanager
    def _refining(self) -> Iterator[Refiner | None]:
        """What refines, working in the place of the model's own post-processor, if there is any."""
        model = unwrapped(self.runner.model)
        own = getattr(model, 'post_processor', None)
        crf = self.post_processor or own
        if not isinstance(crf, DenseCRF):  # any other one works in the model, image by image
            yield None
            return
        model.post_processor = None
        try:
            with refiner_of(crf, device_of(model), self.workers, self.queue_size) as refiner:
                yield refiner
        finally:
            model.post_processor = own


def _samples_of(data: dict) -> list[SegDataSample]:
    """Samples of a batch; of their first views, if it has views made by ``TestTimeAug``."""
    samples: list = data['data_samples']
    return list(samples[0]) if isinstance(samples[0], list | tuple) else samples


def _handed_over(sample: SegDataSample) -> tuple[str, Tensor]:
    """Path and probabilities of a prediction; its large logits are not kept."""
    logits = sample.seg_logits.data
    del sample.seg_logits
    return sample.img_path, logits.float().softmax(dim=0)
