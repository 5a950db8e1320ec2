"""Test-time augmentation that merges logits, as ExCEL's multi-scale inference does."""

from __future__ import annotations

from collections.abc import Sequence
from logging import WARNING

import torch
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from ..densecrf import DenseCRF
from ..models.input_checks import check_batch, check_samples, check_shapes
from ..ops.resize import mean_of_resized, resize
from ..utils.bad_input import BadInput
from ..utils.building import build, build_optional
from ..utils.checks import check_flag, check_number, check_sequence, check_whole, shown
from ..utils.images import read_rgb

SIDE = '[1, 4096]'  # of a view: attention grows with its fourth power


@MODELS.register_module()
class LogitTTAModel(BaseTTAModel):
    """Mean of the *logits* over all views of an image, then an optional post-processor.

    MMSegmentation's ``SegTTAModel`` averages probabilities; ExCEL averages logits and takes the
    softmax once (docs/method.md, section 9). The views, squares of ``size`` times each scale and
    their mirror images, are made on the device from the normalised photograph, so the pipeline
    loads and packs images as they are. Views of one size run as one batch, for all images of the
    data batch; a view and its mirror are averaged before they are resized, which is exact.

    Large photographs that windows slide over (``model.test_cfg.mode='slide'``) take ``size=None``:
    views have the image's own size times each scale, and logits of their pixels are averaged.

    A pipeline with ``TestTimeAug`` works too: its views are predicted one by one and merged.

    Args:
        module: The segmentor, or its config. For views made here it has
            ``lowres_logits(inputs)``: (B, 3, S, S) -> (B, n+1, g, g), and ``encode_decode``.
        size: Side of the view at scale 1, in pixels; None for the image's own height and width.
        scales: Factors of ``size``.
        flip: Whether each view has a mirrored one.
        post_processor: Config of a callable ``(image, probabilities) -> probabilities`` such as
            ``dict(type='DenseCRF')``; none by default.
        **kwargs: Passed to ``BaseTTAModel``.

    Example:
        >>> tta_model = dict(type='LogitTTAModel', post_processor=dict(type='DenseCRF'))
        >>> tta_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackSegInputs')]
    """

    def __init__(
        self,
        module: dict | nn.Module,
        size: int | None = 320,
        scales: Sequence[float] = (1.0, 0.7, 1.2, 1.5),
        flip: bool = True,
        post_processor: dict | None = None,
        **kwargs,
    ) -> None:
        if size is not None:
            check_whole('LogitTTAModel.size', size, SIDE)
        check_sequence('LogitTTAModel.scales', scales)
        for scale in scales:
            check_number('LogitTTAModel.scales', scale, '(0, 100]')
        check_flag('LogitTTAModel.flip', flip)
        if not isinstance(module, nn.Module):
            module = build(MODELS, 'LogitTTAModel.module', module)
        if not hasattr(module, 'test_step'):
            raise BadInput(
                f'LogitTTAModel.module is a {type(module).__name__}, but must be a segmentor.'
            )
        super().__init__(module, **kwargs)
        self.scales = tuple(scales)
        self.sides = None if size is None else [round(size * scale) for scale in scales]
        self._check_sides()
        self.flip = flip
        self.post_processor = build_optional(MODELS, 'LogitTTAModel.post_processor', post_processor)
        if isinstance(self.post_processor, nn.Module):
            raise BadInput(
                f'LogitTTAModel.post_processor is {shown(post_processor)}, but '
                'must refine the probabilities of an image, as a DenseCRF does.'
            )
        if getattr(self.post_processor, 'remark', ''):
            print_log(self.post_processor.remark, 'current', WARNING)
        if (getattr(self.module, 'test_cfg', None) or {}).get('source') == 'cam':
            raise BadInput(
                "Test-time augmentation averages the decoder's logits, but model.test_cfg.source "
                "is 'cam': test without --tta, or set it to 'decoder'."
            )

    def test_step(self, data: dict) -> list[SegDataSample]:
        """Predict a batch.

        Args:
            data: ``inputs``, images (3, H, W) of any sizes, and their ``data_samples``; or, from
                ``TestTimeAug``, a list of such batches in each, one a view.

        Returns:
            Per image, its sample with ``seg_logits`` (n+1, H, W) and ``pred_sem_seg`` (1, H, W)
            at the ``ori_shape`` of the image.
        """
        check_batch(data)
        if isinstance(data['inputs'][0], list | tuple):
            return super().test_step(data)
        if not hasattr(self.module, 'lowres_logits'):
            raise BadInput(
                f'A {type(self.module).__name__} cannot see views that are made on the device: '
                'give the pipeline TestTimeAug, or test without --tta.'
            )
        check_samples(data.get('data_samples') or [], len(data['inputs']))
        check_shapes(data['data_samples'])
        images, samples = self._normalise(data)
        merged = self._multi_scale_logits(images, [sample.ori_shape for sample in samples])
        return [
            self._with_prediction(sample, logits)
            for sample, logits in zip(samples, merged, strict=True)
        ]

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
        return [
            self._with_prediction(
                views[0], torch.stack([view.seg_logits.data for view in views]).mean(dim=0)
            )
            for views in data_samples_list
        ]

    def _normalise(self, data: dict) -> tuple[list[Tensor], list[SegDataSample]]:
        """Images (1, 3, H, W) on the device, one by one because their sizes differ."""
        batches = [
            self.module.data_preprocessor(dict(inputs=[image], data_samples=[sample]))
            for image, sample in zip(data['inputs'], data['data_samples'], strict=True)
        ]
        images = [batch['inputs'] for batch in batches]
        return images, [batch['data_samples'][0] for batch in batches]

    def _multi_scale_logits(
        self, images: list[Tensor], shapes: Sequence[tuple[int, int]]
    ) -> list[Tensor]:
        """Per image, logits (n+1, H, W) averaged over all views."""
        if self.sides is None:
            return list(map(self._own_size_logits, images, shapes))
        per_side = [
            self._view_logits(torch.cat([resize(image, (side, side)) for image in images]))
            for side in self.sides
        ]
        return [
            mean_of_resized([logits[i, None] for logits in per_side], shape)[0]
            for i, shape in enumerate(shapes)
        ]

    def _own_size_logits(self, image: Tensor, shape: tuple[int, int]) -> Tensor:
        """Logits (n+1, H, W) of one image (1, 3, H, W), averaged over views like itself."""
        sizes = ([max(round(side * s), 1) for side in image.shape[2:]] for s in self.scales)
        views = (resize(image, size) for size in sizes)
        return mean_of_resized([self._view_logits(view) for view in views], shape)[0]

    def _view_logits(self, views: Tensor) -> Tensor:
        """Logits of views (B, 3, S, S), averaged with those of their mirrors, (B, n+1, g, g)."""
        logits_of = self.module.encode_decode if self.sides is None else self.module.lowres_logits
        if not self.flip:
            return logits_of(views)
        plain, mirrored = logits_of(torch.cat([views, views.flip(-1)])).chunk(2)
        return (plain + mirrored.flip(-1)) / 2

    def _check_sides(self) -> None:
        if self.sides is None:
            return
        if hasattr(self.module, 'lowres_logits') and self.module.test_cfg.get('mode') == 'slide':
            raise BadInput(
                f"model.test_cfg.mode is 'slide', but {type(self).__name__} shrinks images to "
                'views of a given size: set tta_model.type=LogitTTAModel and tta_model.size=None, '
                "for views of the images' own sizes."
            )
        patch_size = getattr(getattr(self.module, 'backbone', None), 'patch_size', 1)
        for side in self.sides:
            check_whole('LogitTTAModel.size times one of its scales', side, SIDE)
            if side % patch_size:
                raise BadInput(
                    f'A view of {side}x{side} pixels does not consist of whole patches: choose '
                    'size and scales of LogitTTAModel so that all their products are multiples of '
                    f'{patch_size}.'
                )

    def _with_prediction(self, sample: SegDataSample, logits: Tensor) -> SegDataSample:
        sample.seg_logits = PixelData(data=logits)
        scores = self._post_process(logits, sample.img_path) if self.post_processor else logits
        sample.pred_sem_seg = PixelData(data=scores.max(dim=0, keepdim=True).indices)
        return sample

    def _post_process(self, logits: Tensor, image_path: str) -> Tensor:
        """Refined probabilities, (n+1, H, W)."""
        image, probabilities = read_rgb(image_path), logits.float().softmax(dim=0)
        if isinstance(self.post_processor, DenseCRF):  # on any device
            return self.post_processor(image, probabilities)
        return torch.from_numpy(self.post_processor(image, probabilities.cpu().numpy()))
