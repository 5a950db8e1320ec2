"""What a data set is: which images, tags and pipeline."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from mmengine.dataset import BaseDataset

from ..utils.bad_input import BadInput
from ..utils.plain import plain


def data_identity(dataset: BaseDataset) -> dict[str, object]:
    """All of a data set that decides what a model makes of its images.

    Images count by name, size in bytes and tags: to read them all would take as long as the work.

    Args:
        dataset: Of MMEngine's kind; those made of other ones are described by their parts.
    """
    parts = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    if parts[0] is not None:
        return dict(type=plain(type(dataset)), parts=[data_identity(part) for part in parts])
    root = dataset.data_root
    images = hashlib.sha256()
    for image in _images(dataset):
        images.update(json.dumps(image).encode())
    return dict(
        type=plain(type(dataset)),
        data_root=root and os.path.realpath(root),
        ann_file=dataset.ann_file and os.path.relpath(dataset.ann_file, root or None),
        classes=plain(dataset.metainfo.get('classes')),
        pipeline=plain(dataset.pipeline),
        images=images.hexdigest(),
    )


def _images(dataset: BaseDataset) -> Iterator[list]:
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        path = info['img_path']
        size = os.path.getsize(path) if os.path.isfile(path) else None
        yield [os.path.relpath(path, dataset.data_root or None), size, info.get('tags')]


def check_apart(folder: str | Path, dataset: BaseDataset) -> None:
    """Refuse to write label images into the folder of a data set's own images or masks.

    Raises:
        BadInput: Names the folder.
    """
    for kind, own in (getattr(dataset, 'data_prefix', None) or {}).items():
        if isinstance(own, str) and own and os.path.realpath(own) == os.path.realpath(folder):
            raise BadInput(
                f"'{folder}' is a folder of the data set itself ({kind}), whose files might be "
                'overwritten: choose another folder.'
            )
