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
        **settings: Of ``SegDataPreProcessor``.
    """

    _channel_conversion: bool

    def __init__(self, **settings) -> None:
        super().__init__(**settings)
        self._swaps_channels = self._channel_conversion
        self._channel_conversion = False

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
        if self._swaps_channels:
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
