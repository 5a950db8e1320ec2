"""Post-processing: sharpening predictions along the edges of the photograph."""

from .clip_es_crf import CLIPESDenseCRF
from .dense_crf import DenseCRF
from .pool import CRFPool
from .test_loop import ResumableTestLoop

__all__ = ['CLIPESDenseCRF', 'CRFPool', 'DenseCRF', 'ResumableTestLoop']
