"""One run of a sweep, in a process of its own."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from ..engine.small_checkpoint_hook import package_versions
from ..evaluation import ConfusionMatrixMetric
from ..evaluation.map_quality import label_from_maps
from ..models.tag_segmentor import TagSegmentor, content_of
from ..utils.atomic import write_atomically
from ..utils.determinism import set_randomness
from ..utils.parallel import end_with_parent
from .runs import TRAINING_SPLIT, Run

RESULT = 'result.json'
LOG = 'log.txt'
_UNUSED = ('val_dataloader', 'val_cfg', 'val_evaluator')
_UNTESTED = ('test_dataloader', 'test_cfg', 'test_evaluator')


def execute(run: Run, folder: Path, device: str) -> None:
    """Run to the end, going on where an interrupted process stopped, and write ``result.json``.

    What is printed goes to ``log.txt``.

    Args:
        run: What to measure.
        folder: Of this run alone, named by its key.
        device: ``'cpu'``, ``'cuda:0'``...
    """
    folder.mkdir(parents=True, exist_ok=True)
    end_with_parent()
    _log_to(folder / LOG)
    if device != 'cpu':
        torch.cuda.set_device(device)
    with _alone_in(folder):
        run.check_unchanged(folder.name)
        start = time.perf_counter()
        measure = dict(static=_static_scores, train=_trained_scores)[run.kind]
        scores = measure(run, folder)
        measured = dict(
            seconds=round(time.perf_counter() - start, 1),
            peak_memory_mib=_peak_memory_mib(device),
            device=device if device == 'cpu' else torch.cuda.get_device_name(device),
        )
        result = dict(run=_description(run) | dict(scores=scores), measured=measured)
        write_atomically(folder / RESULT, json.dumps(result).encode())


def _description(run: Run) -> dict:
    return dict(
        kind=run.kind,
        base=Path(run.base).stem,
        changes=run.changes,
        config_sha256=run.config_hash,
        seed=run.seed,
        versions=package_versions(),
    )


# Measurements ---------------------------------------------------------------------------------


def _static_scores(run: Run, folder: Path) -> dict[str, float]:
    """Scores of maps and training-free pseudo labels of the training split."""
    cfg = run.config()
    init_default_scope('mmseg')
    model = MODELS.build(cfg.model).to(get_device()).eval()
    model.encode_classes()
    return _map_scores(model, cfg) | _pseudo_scores(model, cfg, dynamic=False)


def _trained_scores(run: Run, folder: Path) -> dict[str, float]:
    """Train, then score pseudo labels of the training split and predictions of the other."""
    runner = Runner.from_cfg(_training_config(run, folder))
    runner.train()
    model, cfg = runner.model.eval(), run.config()
    predictions = _evaluate(model, cfg.val_dataloader, model.predict)
    return predictions | _pseudo_scores(model, cfg, dynamic=True)


def _training_config(run: Run, folder: Path) -> Config:
    cfg = run.config()
    for key in (*_UNUSED, *_UNTESTED):
        cfg[key] = None
    cfg.work_dir = str(folder)
    cfg.resume = True
    set_randomness(cfg, run.seed, deterministic=True)
    return cfg


def training_split(cfg: Config) -> dict:
    """Data loader of the training images that have masks: ``train.txt`` beside the val list."""
    loader = deepcopy(cfg.val_dataloader)
    loader.dataset.ann_file = str(Path(loader.dataset.ann_file).with_name(TRAINING_SPLIT))
    return loader


def _map_scores(model: TagSegmentor, cfg: Config) -> dict[str, float]:
    def predict(inputs: torch.Tensor, samples: list[SegDataSample]) -> list[SegDataSample]:
        model.tags_of(inputs, samples)  # names an image without tags
        tags = torch.stack([sample.gt_tags.multi_hot for sample in samples])
        maps = model.class_activation_maps(inputs, tags)
        for image_maps, hot, sample in zip(maps, tags, samples, strict=True):
            content = model.unpadded(image_maps[None], content_of(inputs.shape[2:], sample))[0]
            label = label_from_maps(content, hot, sample.ori_shape)
            sample.pred_sem_seg = PixelData(data=label[None])
        return samples

    return _named('maps', _evaluate(model, training_split(cfg), predict))


def _pseudo_scores(model: TagSegmentor, cfg: Config, dynamic: bool) -> dict[str, float]:
    def predict(inputs: torch.Tensor, samples: list[SegDataSample]) -> list[SegDataSample]:
        return model.to_pixels(model.pseudo_labels(inputs, samples, dynamic), samples)

    return _named('pseudo', _evaluate(model, training_split(cfg), predict))


def _named(kind: str, scores: dict[str, float]) -> dict[str, float]:
    return {f'{kind}_{name}': value for name, value in scores.items()}


@torch.no_grad()
def _evaluate(
    model: TagSegmentor, loader_cfg: dict, predict: Callable[..., list[SegDataSample]]
) -> dict[str, float]:
    """MIoU, mean precision and recall in percent."""
    loader = Runner.build_dataloader(loader_cfg)
    metric = ConfusionMatrixMetric()
    metric.dataset_meta = loader.dataset.metainfo
    for data in loader:
        batch = model.data_preprocessor(data)
        samples = predict(batch['inputs'], batch['data_samples'])
        metric.process(data, [sample.to_dict() for sample in samples])
    scores = metric.evaluate(len(loader.dataset))
    return {name: float(scores[name]) for name in ('mIoU', 'mPrecision', 'mRecall')}


# The process ----------------------------------------------------------------------------------


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait for the process of a killed sweep that is still at work in the folder."""
    with open(folder / '.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _log_to(path: Path) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(log, stream.fileno())


def _peak_memory_mib(device: str) -> int:
    """Of the process, or of the allocator of a GPU."""
    if device != 'cpu':
        return torch.cuda.max_memory_allocated(device) >> 20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> 20 if sys.platform == 'darwin' else peak >> 10
