"""Checks of images and samples that come into a segmentor.

Values are looked at on a CPU only: elsewhere the host would have to wait for the device.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmseg.structures import SegDataSample
from torch import Tensor

from ..utils.bad_input import BadInput
from ..utils.checks import shown


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
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
        raise BadInput(
            f'Images must have the shape (B, 3, height, width), not {tuple(images.shape)}.'
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
    if len(samples) != batch_size:
        raise BadInput(f'{batch_size} images need as many data samples, not {len(samples)}.')


def check_shapes(samples: Sequence[SegDataSample] | None) -> None:
    """Refuse samples that do not say how large the original image was."""
    for sample in samples or ():
        if 'ori_shape' not in getattr(sample, 'metainfo', ()):
            raise BadInput(
                'A data sample has no ori_shape, the size its prediction must have: let '
                'PackSegInputs or PackTaggedInputs make it.'
            )


def stack_tags(samples: Sequence[SegDataSample] | None, num_classes: int) -> Tensor:
    """Multi-hot tags of a batch, (B, n).

    Raises:
        BadInput: A sample has no tags, or none of these n classes.
    """
    for sample in samples or [None]:
        _check_tags(sample, num_classes)
    return torch.stack([sample.gt_tags.multi_hot for sample in samples])


def _check_tags(sample: SegDataSample | None, num_classes: int) -> None:
    name = getattr(sample, 'img_path', 'an image')
    tags = sample.gt_tags if 'gt_tags' in (sample or ()) else None
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
    if hot.device.type == 'cpu' and not ((hot == 0) | (hot == 1)).all():
        raise BadInput(f'gt_tags.multi_hot of {name} must hold 0 and 1 only, not {shown(hot)}.')
