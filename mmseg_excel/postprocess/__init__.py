"""Post-processing: sharpening predictions along the edges of the photograph."""

from ..utils.images import read_rgb
from .clip_es_crf import CLIPESDenseCRF
from .crf_pool import CRFPool
from .densecrf import DenseCRF
from .test_loop import ExCELTestLoop

__all__ = ['CLIPESDenseCRF', 'CRFPool', 'DenseCRF', 'ExCELTestLoop', 'read_rgb']
