"""Test-time augmentation that merges logits, as ExCEL's multi-scale inference does."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseTTAModel
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmseg_excel.postprocess import read_rgb


@MODELS.register_module()
class ExCELTTAModel(BaseTTAModel):
    """Mean of the *logits* over all views of an image, then an optional post-processor.

    MMSegmentation's ``SegTTAModel`` averages probabilities; ExCEL averages logits and takes the
    softmax once (docs/method.md, section 9).

    Args:
        module: The segmentor, or its config.
        post_processor: Config of a callable ``(image, probabilities) -> probabilities`` such as
            ``dict(type='DenseCRF')``; none by default.
        **kwargs: Passed to ``BaseTTAModel``.

    Example:
        >>> tta_model = dict(type='ExCELTTAModel', post_processor=dict(type='DenseCRF'))
    """

    def __init__(
        self, module: dict | nn.Module, post_processor: dict | None = None, **kwargs
    ) -> None:
        super().__init__(module, **kwargs)
        self.post_processor = MODELS.build(post_processor) if post_processor else None

    def merge_preds(
        self, data_samples_list: Sequence[Sequence[SegDataSample]]
    ) -> list[SegDataSample]:
        """One prediction per image from the predictions of its views.

        Args:
            data_samples_list: Per image, the samples of its views with ``seg_logits``
                (n+1, H, W), already flipped back and at the size of the image.

        Returns:
            Per image, its first view's sample with merged ``seg_logits`` and ``pred_sem_seg``.
        """
        return [self._merge_views(views) for views in data_samples_list]

    def _merge_views(self, views: Sequence[SegDataSample]) -> SegDataSample:
        logits = torch.stack([view.seg_logits.data for view in views]).mean(dim=0)
        merged = views[0]
        merged.seg_logits = PixelData(data=logits)
        labels = self._post_process(merged).argmax(dim=0, keepdim=True)
        merged.pred_sem_seg = PixelData(data=labels)
        return merged

    def _post_process(self, sample: SegDataSample) -> Tensor:
        """Scores (n+1, H, W) whose argmax is the prediction."""
        logits = sample.seg_logits.data
        if self.post_processor is None:
            return logits
        probabilities = logits.softmax(dim=0).float().cpu().numpy()
        return torch.from_numpy(self.post_processor(read_rgb(sample.img_path), probabilities))
