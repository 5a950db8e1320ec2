"""Asking a trained model: views of an image and their mean, and the inferencer."""

from .long_side_tta import LongSideTTAModel
from .tta import LogitTTAModel

__all__ = ['LogitTTAModel', 'LongSideTTAModel']
