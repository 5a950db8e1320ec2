"""Pseudo labels of a whole split as files, for any other segmentor to train on."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import get_rank, get_world_size
from mmseg.structures import SegDataSample
from PIL import Image
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from ..datasets.identity import check_apart, data_identity
from ..datasets.masks import IGNORED, write_mask
from ..datasets.tagged import TaggedSegDataset
from ..densecrf.dense_crf import DenseCRF
from ..densecrf.device_refiner import device_of, refiner_of
from ..densecrf.pool import named_channels
from ..models.tag_segmentor import TagSegmentor
from ..utils.atomic import write_atomically
from ..utils.bad_input import BadInput
from ..utils.checks import check_flag, check_number, check_whole
from ..utils.class_lists import check_same_classes
from ..utils.plain import plain
from ..utils.records import claim
from ..version import __version__


@dataclass(frozen=True)
class Prediction:
    """What the tags, CLIP and the colours say about one image, at the image's size.

    Args:
        name: Of the image, in its list.
        img_path: Its file.
        probabilities: Scores in 0..1 of background and the image's k tags, (1 + k, H, W).
        labels: Label of each of these channels, uint8 (1 + k,).
    """

    name: str
    img_path: str
    probabilities: Tensor
    labels: np.ndarray

    def margin(self) -> np.ndarray:
        """How far the best channel leads the second best, (H, W) in 0..1; 1 without a rival."""
        if len(self.probabilities) == 1:
            return np.ones(self.probabilities.shape[1:], np.float32)
        best, second = self.probabilities.topk(2, dim=0).values
        return (best - second).cpu().numpy()


def export_pseudo_labels(
    model: TagSegmentor,
    dataset: TaggedSegDataset,
    out_dir: str | Path,
    *,
    dynamic: bool = False,
    crf: DenseCRF | None = None,
    ignore_band: float = 0.0,
    confidence_dir: str | Path | None = None,
    batch_size: int = 4,
    num_workers: int = 2,
) -> int:
    """Write ``{name}.png``, a palette mask, for every image of a data set.

    A run that was stopped continues: what is already there is kept, and a record beside each
    folder (``labels.made_with.json`` beside ``labels``) sees to it that labels made in different
    ways, or of different images, are never mixed. The processes of a distributed run share the
    images. No mask is read.

    Args:
        model: With its class texts computed; on any device, in eval mode.
        dataset: Its images carry tags; its pipeline resizes them as for testing.
        out_dir: Folder of the labels.
        dynamic: Whether the trained adapter calibrates maps and affinity (docs/method.md,
            section 6). Default: False, training-free.
        crf: Sharpens the labels. Default: None.
        ignore_band: Pixels whose best two scores differ by less become 255. Default: 0, none.
        confidence_dir: Folder for one grey PNG per image, 255 times the lead of the best score
            over the second best, before the CRF. Default: None.
        batch_size: Images that pass CLIP together. Default: 4.
        num_workers: Processes that load images. Default: 2.

    Returns:
        How many labels this process wrote.

    Raises:
        BadInput: A setting is none; the data set has other classes than the model; a folder holds
            labels made in another way; an image cannot be read.
    """
    check_flag('dynamic', dynamic)
    check_number('ignore_band', ignore_band, '[0, 1]')
    check_whole('batch_size', batch_size, '[1, inf)')
    check_whole('num_workers', num_workers, '[0, inf)')
    check_same_classes('The data set', dataset.foreground, model.text_head.vocabulary.classes)
    folders = _separate_folders(dataset, out_dir, confidence_dir)
    made_with = _made_with(model, dataset, dynamic, crf, ignore_band)
    for folder in folders:
        claim(folder, made_with)
    todo = _missing(dataset, folders)
    loader = DataLoader(
        Subset(dataset, todo), batch_size, num_workers=num_workers, collate_fn=pseudo_collate
    )
    finished = _finished(_predictions(model, loader, dynamic), crf, device_of(model))
    console = Console(stderr=True)
    for prediction, labels in track(finished, 'labelling', total=len(todo), console=console):
        if ignore_band > 0 or confidence_dir:  # its floats leave the device
            margin = prediction.margin()
            labels = np.where(margin < ignore_band, np.uint8(IGNORED), labels)
        for folder in folders[1:]:
            _write_grey(folder / f'{prediction.name}.png', margin)
        write_mask(folders[0] / f'{prediction.name}.png', labels, dataset.metainfo['palette'])
    return len(todo)


def _missing(dataset: TaggedSegDataset, folders: list[Path]) -> list[int]:
    """Images, of this process's share, that a folder lacks a file of."""
    return [
        index
        for index in range(get_rank(), len(dataset), get_world_size())
        for name in [f'{dataset.get_data_info(index)["name"]}.png']
        if not all((folder / name).exists() for folder in folders)
    ]


def _separate_folders(
    dataset: TaggedSegDataset, out_dir: str | Path, confidence_dir: str | Path | None
) -> list[Path]:
    """Folders of labels and, if wanted, confidences; neither in the other."""
    folders = [Path(out_dir)] + ([Path(confidence_dir)] if confidence_dir else [])
    real = [Path(os.path.realpath(folder)) for folder in folders]
    if len(real) == 2 and (real[0] in (real[1], *real[1].parents) or real[1] in real[0].parents):
        raise BadInput(
            f"Labels ('{out_dir}') and confidences ('{confidence_dir}') have files of the same "
            'names: give them two folders, neither of them inside the other.'
        )
    for folder in folders:
        check_apart(folder, dataset)
    return folders


@torch.no_grad()
def _predictions(model: TagSegmentor, loader: DataLoader, dynamic: bool) -> Iterator[Prediction]:
    for batch in loader:
        data = model.data_preprocessor(batch, training=False)
        pseudo = model.pseudo_labels(data['inputs'], data['data_samples'], dynamic)
        for index, sample in enumerate(data['data_samples']):
            yield _prediction(*model.scores_at_pixels(pseudo, index, sample), sample)


def _prediction(scores: Tensor, labels: Tensor, sample: SegDataSample) -> Prediction:
    return Prediction(
        sample.name, sample.img_path, scores.float(), labels.cpu().numpy().astype(np.uint8)
    )


def _finished(
    predictions: Iterator[Prediction], crf: DenseCRF | None, device: torch.device
) -> Iterator[tuple[Prediction, np.ndarray]]:
    """Predictions with their labels, uint8 (H, W), in the order in which they are ready."""
    if crf is None:
        for prediction in predictions:
            channels = prediction.probabilities.argmax(dim=0).to(torch.uint8).cpu().numpy()
            yield prediction, prediction.labels[channels]
        return
    with refiner_of(crf, device) as refiner:
        jobs = ((item, item.img_path, item.probabilities) for item in predictions)
        for prediction, channels in refiner.refine_all(jobs):
            yield prediction, named_channels(prediction.labels)[channels]


def _write_grey(path: Path, values: np.ndarray) -> None:
    """Write values in 0..1, (H, W), as 8 bits."""
    content = io.BytesIO()
    Image.fromarray(np.rint(255 * values).astype(np.uint8)).save(content, 'PNG')
    write_atomically(path, content.getvalue())


def _made_with(
    model: TagSegmentor,
    dataset: TaggedSegDataset,
    dynamic: bool,
    crf: DenseCRF | None,
    ignore_band: float,
) -> dict[str, object]:
    """All that decides what the labels are."""
    return dict(
        mmseg_excel=__version__,
        model=model.identity(trained=dynamic),
        data=data_identity(dataset),
        dynamic=dynamic,
        crf=plain(crf),
        ignore_band=float(ignore_band),
    )
