"""Post-processing: sharpening predictions along the edges of the photograph."""

from .densecrf import DenseCRF
from .image import read_rgb

__all__ = ['DenseCRF', 'read_rgb']
