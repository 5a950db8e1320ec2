"""Post-processing: sharpening predictions along the edges of the photograph."""

from ..utils.images import read_rgb
from .crf_pool import CRFPool
from .densecrf import DenseCRF
from .test_loop import ExCELTestLoop

__all__ = ['CRFPool', 'DenseCRF', 'ExCELTestLoop', 'read_rgb']
