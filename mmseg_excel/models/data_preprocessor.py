"""AsyncDataPreProcessor: images on the device, normalised, without a wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.structures import BaseDataElement
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.registry import MODELS
from torch import Tensor

from ..ops.transfer import to_device
from ..utils.bad_input import BadInput


@MODELS.register_module()
class AsyncDataPreProcessor(SegDataPreProcessor):
    """MMSegmentation's ``SegDataPreProcessor``, for which the host waits for no device.

    Images and masks are pinned before they are copied, so that copies go on beside the host's work,
    whatever the data loader's ``pin_memory`` says; and channels are swapped without an index that
    would have to be copied first. The results are the same bits.

    Args:
        bgr_to_rgb: Whether channels are swapped. Default: False.
        rgb_to_bgr: The same; not both. Default: False.
        **settings: Of ``SegDataPreProcessor``.
    """

    def __init__(self, bgr_to_rgb: bool = False, rgb_to_bgr: bool = False, **settings) -> None:
        if bgr_to_rgb and rgb_to_bgr:
            raise BadInput(
                'model.data_preprocessor.bgr_to_rgb and rgb_to_bgr are both True: channels are '
                'swapped once, so leave one out.'
            )
        super().__init__(**settings)
        self.swaps_channels = bgr_to_rgb or rgb_to_bgr

    def cast_data(self, data: Any) -> Any:
        """Whatever a data loader gives, with its tensors on the device."""
        if isinstance(data, Tensor):
            return to_device(data, self.device)
        if isinstance(data, BaseDataElement):
            moved = data.new()
            moved.set_data({name: self.cast_data(value) for name, value in data.items()})
            return moved
        return super().cast_data(data)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Normalise and stack a batch, see ``SegDataPreProcessor``.

        Raises:
            BadInput: Images to predict differ in size.
        """
        data = self.cast_data(data)
        if not training:
            _check_one_size(data['inputs'])
        if self.swaps_channels:
            data = data | dict(inputs=[image.flip(0) for image in data['inputs']])
        return super().forward(data, training)


def _check_one_size(images: Sequence[Tensor]) -> None:
    sizes = {tuple(image.shape[1:]) for image in images}
    if len(sizes) > 1:
        shown = ', '.join(f'{height}x{width}' for height, width in sorted(sizes))
        raise BadInput(
            f'Images of one batch have {shown} pixels: let the pipeline resize them alike, or set '
            'batch_size=1 of the data loader that predictions are made for.'
        )
