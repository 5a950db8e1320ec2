"""Image tags as numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from ...utils.bad_input import BadInput
from ...utils.checks import shown
from ..class_names import some_names
from .given import check_given


@TRANSFORMS.register_module()
class LoadImageTags(BaseTransform):
    """Turn the names in ``results['tags']`` into ``results['gt_tags']``, multi-hot over classes.

    The one place where tags become numbers, whatever source they came from. No tag at all gives
    zeros. Results without the key ``tags`` (an inferencer's) pass unchanged.

    Required keys: ``tags`` and ``foreground`` (the n class names), both put there by the data set.
    Added keys: ``gt_tags``, float32 (n,), and ``gt_tag_order``, the place of each class among the
    tags, int64 (n,), by which CLIP-ES decides ties.

    Raises:
        BadInput: a tag is not one of the classes.
    """

    def transform(self, results: dict) -> dict:
        """Add ``gt_tags`` and ``gt_tag_order``."""
        check_given(self, results)
        if 'tags' in results:
            check_given(self, results, 'foreground')
            try:
                results['gt_tags'] = multi_hot(results['tags'], results['foreground'])
                results['gt_tag_order'] = places(results['tags'], results['foreground'])
            except BadInput as error:
                raise BadInput(f'{results.get("img_path", "An image")}: {error}') from None
        return results


def multi_hot(tags: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Multi-hot vector, float32 (n,), of the ``tags`` among n ``classes``."""
    unknown = sorted(set(tags).difference(classes))
    if unknown:
        raise BadInput(f'tag {shown(unknown[0])} is not one of the classes {some_names(classes)}.')
    return np.isin(classes, tags).astype(np.float32)


def places(tags: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Place of each of n ``classes`` among the ``tags``, int64 (n,); of others, behind them."""
    place = {tag: index for index, tag in enumerate(dict.fromkeys(tags))}
    return np.array([place.get(name, len(place)) for name in classes], np.int64)
