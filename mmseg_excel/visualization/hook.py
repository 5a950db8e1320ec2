"""PseudoLabelVisualizationHook: maps and pseudo labels of the same images, again and again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmseg.structures import SegDataSample
from torch import Tensor

from ..evaluation.confusion import IGNORED, Scores, confusion_matrix, count_pairs
from ..inference.panel import paint_labels, panel_pixels
from ..models.trained_segmentor import TrainedSegmentor
from ..ops.resize import resize
from ..utils.bad_input import BadInput
from ..utils.checks import check_sequence, check_whole
from ..utils.distributed import unwrapped

COLUMNS = ('image', 'static map', 'dynamic map', 'pseudo label', 'prediction', 'truth')
NO_MASK = torch.full((1, 1), IGNORED)


@HOOKS.register_module()
class PseudoLabelVisualizationHook(Hook):
    """Lets one watch the supervision of a training run.

    At an interval it draws some validation images through the runner's visualiser, and so to all
    its backends (local files, TensorBoard, WandB, MLflow): image, static and dynamic map of each
    tag, pseudo label of the current phase, prediction, and the truth where there is a mask. As
    scalars it logs, over these images, ``pseudo_background`` (its share of the pixels) and, where
    there are masks, ``pseudo_mIoU`` in percent. The phase (0 static, 1 dynamic, 2 pairs from the
    prediction) goes to the training log with the losses. ``watch_seconds`` is what a drawing costs.

    Nothing it does changes the training: the model is used in evaluation mode, without gradients.

    Args:
        indices: Images of the validation data set. Default: the first four, or as many as it has.
        interval: Iterations between two drawings; the first comes before training.
            Default: 1000.

    Example:
        >>> custom_hooks.append(dict(type='PseudoLabelVisualizationHook', interval=1000))
    """

    def __init__(self, indices: Sequence[int] | None = None, interval: int = 1000) -> None:
        check_whole('PseudoLabelVisualizationHook.interval', interval, '[1, 1e9]')
        if indices is not None:
            check_sequence('PseudoLabelVisualizationHook.indices', indices)
            for index in indices:
                check_whole('PseudoLabelVisualizationHook.indices', index, '[0, 1e9]')
        self.indices = indices
        self.interval = interval
        self._items: list[dict] = []

    def before_train(self, runner: Runner) -> None:
        """Load the images and draw them once; without a validation data set there are none."""
        if not is_main_process() or runner.val_loop is None:
            return
        dataset = runner.val_loop.dataloader.dataset
        indices = range(min(4, len(dataset))) if self.indices is None else self.indices
        wrong = [index for index in indices if not 0 <= index < len(dataset)]
        if wrong:
            raise BadInput(
                f'PseudoLabelVisualizationHook.indices has {wrong[0]}, but the validation data '
                f'set has images 0 to {len(dataset) - 1}.'
            )
        self._classes = dataset.metainfo['classes']
        self._palette = dataset.metainfo['palette']
        self._items = [dataset[index] for index in indices]
        if runner.iter == 0:
            self._watch(runner, step=0)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: dict | None = None
    ) -> None:
        """Log the phase, and draw when the time has come."""
        phase = unwrapped(runner.model).phase
        code = 2 if phase.pairs_from_prediction else int(phase.dynamic)
        runner.message_hub.update_scalar('train/phase', code)
        if is_main_process() and self.every_n_train_iters(runner, self.interval):
            self._watch(runner, step=runner.iter + 1)

    @torch.no_grad()
    def _watch(self, runner: Runner, step: int) -> None:
        if not self._items:
            return
        start = time.perf_counter()
        model = unwrapped(runner.model)
        training = model.training
        model.eval()
        pseudo_labels = [self._draw(runner, model, item, step) for item in self._items]
        model.train(training)
        truths = [_truth(item['data_samples']) for item in self._items]
        scalars = supervision_scalars(pseudo_labels, truths, len(self._classes))
        scalars['watch_seconds'] = time.perf_counter() - start
        runner.visualizer.add_scalars(scalars, step=step)

    def _draw(self, runner: Runner, model: TrainedSegmentor, item: dict, step: int) -> Tensor:
        """Draw one image; returns its pseudo label at its own size, (H, W)."""
        batch = model.data_preprocessor(
            dict(inputs=[item['inputs']], data_samples=[item['data_samples']])
        )
        inputs, samples = batch['inputs'], batch['data_samples']
        size = tuple(samples[0].ori_shape)
        pseudo_label = model.pseudo_labels(inputs, samples, dynamic=model.phase.dynamic).labels[0]
        pseudo_label = _resize_labels(pseudo_label, size)
        labels = [pseudo_label, model.predict(inputs, samples)[0].pred_sem_seg.data[0]]
        if 'gt_sem_seg' in samples[0]:
            labels.append(_truth(samples[0]))
        painted = [paint_labels(x.cpu().numpy().astype(np.uint8), self._palette) for x in labels]
        image = _image(item['inputs'], size)
        tags = samples[0].gt_tags.multi_hot[None]
        static, dynamic = (model.class_activation_maps(inputs, tags, d) for d in (False, True))
        rows = [
            (self._classes[tag + 1], [image, *(_heat(m, tag, size) for m in (static, dynamic))])
            for tag in samples[0].gt_tags.multi_hot.nonzero()[:, 0].tolist()
        ] or [('no tag', [image, np.zeros(size), np.zeros(size)])]
        rows = [(name, [*pictures, *painted]) for name, pictures in rows]
        kind = 'dynamic' if model.phase.dynamic else 'static'
        caption = f'iteration {step}, pseudo label from {kind} maps'
        panel = panel_pixels(COLUMNS[: 3 + len(painted)], rows, caption)
        runner.visualizer.add_image(f'watch_{Path(samples[0].img_path).stem}', panel, step)
        return pseudo_label.cpu()


def supervision_scalars(
    pseudo_labels: Sequence[Tensor], truths: Sequence[Tensor], num_classes: int
) -> dict[str, float]:
    """What pseudo labels are made of, and how good they are.

    Args:
        pseudo_labels: One (H, W) an image.
        truths: One (H, W) an image; pixels of 255 are not scored.
        num_classes: n + 1.

    Returns:
        ``pseudo_background``, its share of all pixels, and ``pseudo_mIoU`` in percent if any pixel
        can be scored.
    """
    pixels = torch.cat([labels.flatten() for labels in pseudo_labels])
    scalars = dict(pseudo_background=(pixels == 0).float().mean().item())
    pairs = sum(
        count_pairs(truth.expand_as(labels) if truth.numel() == 1 else truth, labels)
        for truth, labels in zip(truths, pseudo_labels, strict=True)
    )
    matrix = confusion_matrix(pairs, num_classes)
    if matrix.sum():
        scalars['pseudo_mIoU'] = Scores.from_confusion(matrix).means()['mIoU']
    return scalars


def _truth(sample: SegDataSample) -> Tensor:
    """True labels, (H, W) on the CPU; one ignored pixel where they are unknown."""
    return sample.gt_sem_seg.data[0].cpu() if 'gt_sem_seg' in sample else NO_MASK


def _image(inputs: Tensor, size: tuple[int, int]) -> np.ndarray:
    """The loaded BGR image (3, S, S) as RGB at its own size, (H, W, 3)."""
    rgb = resize(inputs.flip(0)[None].float(), size)[0]
    return rgb.round().clamp(0, 255).byte().permute(1, 2, 0).numpy()


def _heat(maps: Tensor, tag: int, size: tuple[int, int]) -> np.ndarray:
    return resize(maps[:, tag : tag + 1].float(), size)[0, 0].cpu().numpy()


def _resize_labels(labels: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(labels[None, None].float(), size, mode='nearest')[0, 0].long()
