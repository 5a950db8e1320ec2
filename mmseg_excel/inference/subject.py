"""Subject: an image a figure shows, what is known about it, and a model to ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset
from mmseg.registry import DATASETS

from ..models.settings import Settings
from ..utils.bad_input import BadInput
from ..utils.checks import check_sequence, check_whole, shown
from ..utils.config_errors import setting_up
from ..utils.config_parts import check_parts
from .answers import Answer, EncodedImage
from .inferencer import TagInferencer
from .label_map import LabelMap


@dataclass(frozen=True)
class Subject:
    """An encoded image, its tags, and the model that encoded it.

    Attributes:
        inferencer: The model.
        image: The image.
        tags: Classes it shows.
        classes: Any words its maps are made for; None for the config's classes.
        truth: Its true labels, where they are known.
    """

    inferencer: TagInferencer
    image: EncodedImage
    tags: tuple[str, ...]
    classes: tuple[str, ...] | None = None
    truth: LabelMap | None = None

    def ask(self, settings: Settings | None = None) -> Answer:
        """The model's answer."""
        return self.inferencer.ask(self.image, self.tags, self.classes, settings=settings)


def subjects_of_files(
    inferencer: TagInferencer, files: Sequence[str | Path], tags: Sequence[Sequence[str]]
) -> list[Subject]:
    """Subjects of image files.

    Args:
        inferencer: The model.
        files: Images.
        tags: Classes of each image, or one list for all of them. Where a name is none of the
            config's classes, the image is asked for its tags alone.

    Raises:
        ValueError: If there are neither as many lists of tags as images nor one.
    """
    check_sequence('files', files)
    check_sequence('tags', tags)
    if len(tags) == 1:
        tags = list(tags) * len(files)
    if len(tags) != len(files):
        raise BadInput(
            f'{len(files)} images need {len(files)} lists of tags, or one for all of them, not '
            f'{len(tags)}: separate the tags of one image by commas.'
        )
    known = set(inferencer.vocabulary.classes)
    return [
        Subject(
            inferencer,
            inferencer.encode(file),
            tuple(names),
            None if known >= set(names) else tuple(names),
        )
        for file, names in zip(files, tags, strict=True)
    ]


def subjects_of_dataset(inferencer: TagInferencer, indices: Sequence[int]) -> list[Subject]:
    """Subjects of the config's validation images, with their truth.

    Raises:
        ValueError: If there is no image of an index.
    """
    check_sequence('indices', indices)
    dataset = _validation_images(inferencer)
    for index in indices:
        if not isinstance(index, int) or not 0 <= index < len(dataset):
            raise BadInput(
                f'There is no sample {shown(index)}: samples are 0 to {len(dataset) - 1}.'
            )
    return [_subject(inferencer, dataset, index) for index in indices]


def each_subject(inferencer: TagInferencer, most: int | None = None) -> Iterator[Subject]:
    """Subjects of all the config's validation images, or of the first ones, one at a time."""
    if most is not None:
        check_whole('most', most, '[1, inf)')
    dataset = _validation_images(inferencer)
    for index in range(len(dataset) if most is None else min(len(dataset), most)):
        yield _subject(inferencer, dataset, index)


def _validation_images(inferencer: TagInferencer) -> BaseDataset:
    check_parts(inferencer.config, 'val_dataloader.dataset')
    with setting_up(inferencer.config):
        return DATASETS.build(inferencer.config.val_dataloader.dataset)


def _subject(inferencer: TagInferencer, dataset, index: int) -> Subject:
    info = dataset.get_data_info(index)
    truth = None
    if info.get('seg_map_path'):
        labels = dataset[index]['data_samples'].gt_sem_seg.data[0].numpy().astype(np.uint8)
        truth = LabelMap(labels, ('background', *inferencer.vocabulary.classes), inferencer.palette)
    image = inferencer.encode(info['img_path'])
    return Subject(inferencer, image, tuple(info['tags']), truth=truth)


def names_of_models(inferencers: Sequence[TagInferencer]) -> list[str]:
    """What models are called beside each other: their method, with a number where it is shared."""
    methods = [inferencer.model.NAME for inferencer in inferencers]
    return [
        method if methods.count(method) == 1 else f'{method} {methods[: number + 1].count(method)}'
        for number, method in enumerate(methods)
    ]
