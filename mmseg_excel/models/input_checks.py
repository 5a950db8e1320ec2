"""Checks of images and samples that come into a segmentor.

Values are looked at on a CPU only: elsewhere the host would have to wait for the device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from ..utils.bad_input import BadInput
from ..utils.checks import check_sequence, check_whole, shown
from ..utils.devices import autocast_dtype

LONGEST_SIDE = 16384


def check_images(images: Tensor) -> None:
    """Refuse what is no batch of normalised images (B, 3, height, width).

    Raises:
        BadInput: Says what it is instead.
    """
    if not isinstance(images, Tensor) or not images.is_floating_point():
        kind = getattr(images, 'dtype', type(images).__name__)
        raise BadInput(
            f'Images must be normalised floats, (B, 3, height, width), not {kind}: let '
            'model.data_preprocessor make them.'
        )
    if images.layout != torch.strided or images.is_meta:
        raise BadInput('Images must hold their values one by one: no sparse or empty tensors.')
    if images.dtype != torch.float32 and not autocast_dtype(images.device.type):
        raise BadInput(
            f'Images must be torch.float32, as CLIP is, not {images.dtype}: convert them, or use '
            'torch.autocast for other precisions.'
        )
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
        raise BadInput(
            f'Images must have the shape (B, 3, height, width), not {tuple(images.shape)}.'
        )
    if max(images.shape[2:]) > LONGEST_SIDE:
        raise BadInput(
            f'Images of {images.shape[3]} x {images.shape[2]} pixels are too large: shrink them to '
            f'at most {LONGEST_SIDE} a side.'
        )
    if images.device.type == 'cpu' and not images.isfinite().all():
        raise BadInput('Images hold values that are infinite or not numbers.')


def check_samples(samples: Sequence[SegDataSample] | None, batch_size: int) -> None:
    """Refuse samples that are not as many as images; None is no sample at all.

    Raises:
        BadInput: Says how many there are.
    """
    if samples is None:
        return
    if not isinstance(samples, Sequence) or isinstance(samples, str):
        raise BadInput(f'Data samples must be a list, one an image, not {shown(samples)}.')
    for sample in samples:
        if not isinstance(sample, SegDataSample):
            raise BadInput(f'Data samples must be SegDataSamples, not {shown(sample)}.')
    if len(samples) != batch_size:
        raise BadInput(f'{batch_size} images need as many data samples, not {len(samples)}.')


def check_shapes(samples: Sequence[SegDataSample] | None) -> None:
    """Refuse samples that do not say how large the original image was."""
    for sample in samples or ():
        shape = getattr(sample, 'metainfo', {}).get('ori_shape')
        if shape is None:
            raise BadInput(
                'A data sample has no ori_shape, the size its prediction must have: let '
                'PackSegInputs or PackTaggedInputs make it.'
            )
        check_sequence('ori_shape of a data sample', shape, length=2)
        for side in shape:
            check_whole('ori_shape of a data sample', side, f'[1, {LONGEST_SIDE}]')


def check_batch(data: Any) -> None:
    """Refuse a batch whose images are none before they are normalised.

    Args:
        data: ``inputs``: images (3, H, W), or, of ``TestTimeAug``, a list of these for each view.

    Raises:
        BadInput: Says what is there instead.
    """
    images = data.get('inputs') if isinstance(data, Mapping) else None
    if not isinstance(images, Sequence | Tensor) or isinstance(images, str) or not len(images):
        raise BadInput(f"A batch must be a dict with a list of 'inputs', not {shown(data)}.")
    for image in images:
        if isinstance(image, list | tuple):
            check_batch(dict(inputs=image))
            continue
        shape = tuple(image.shape) if isinstance(image, Tensor) else (shown(image),)
        if len(shape) != 3 or shape[0] != 3 or 0 in shape:
            raise BadInput(f'The images of a batch must have the shape (3, H, W), not {shape}.')


def check_tags(tags: Tensor, images: Tensor, num_classes: int) -> None:
    """Refuse what are no multi-hot tags (B, n) of images."""
    wanted = (len(images), num_classes)
    shape = tuple(tags.shape) if isinstance(tags, Tensor) else type(tags).__name__
    if shape != wanted or not ((tags == 0) | (tags == 1)).all():
        raise BadInput(f'tags must be zeros and ones of shape {wanted}, not {shown(tags)}.')


def multi_hot_tags(samples: Sequence[SegDataSample] | None, num_classes: int) -> list[list[float]]:
    """Multi-hot tags of a batch, B times n numbers.

    From a device they would have to be waited for: ``PackTaggedInputs`` keeps them on the host.

    Raises:
        BadInput: A sample has no tags, or none of these n classes.
    """
    for sample in samples or [None]:
        _check_tags(sample, num_classes)
    return [sample.gt_tags.multi_hot.tolist() for sample in samples or ()]


def _check_tags(sample: SegDataSample | None, num_classes: int) -> None:
    name = getattr(sample, 'img_path', 'an image')
    tags = sample.gt_tags if sample is not None and 'gt_tags' in sample else None
    hot = getattr(tags, 'multi_hot', None)
    if hot is None:
        raise BadInput(
            f'{name} has no gt_tags, which training and training-free prediction need: add '
            'LoadImageTags and PackTaggedInputs to the pipeline.'
        )
    if not isinstance(hot, Tensor) or hot.shape != (num_classes,):
        shape = tuple(hot.shape) if isinstance(hot, Tensor) else type(hot).__name__
        raise BadInput(
            f'gt_tags.multi_hot of {name} must have the shape ({num_classes},), one number a '
            f'class of the text head, not {shape}: data set and model have different classes.'
        )
    if hot.device.type == 'cpu' and not {*hot.tolist()} <= {0, 1}:
        raise BadInput(f'gt_tags.multi_hot of {name} must hold 0 and 1 only, not {shown(hot)}.')
