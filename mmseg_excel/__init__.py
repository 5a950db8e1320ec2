"""ExCEL for MMSegmentation: importing this package registers all its parts."""

from .utils.import_noise import without_import_noise
from .version import __version__

with without_import_noise():
    from . import datasets, densecrf, engine, evaluation, export, inference, models, visualization

__all__ = [
    '__version__',
    'datasets',
    'densecrf',
    'engine',
    'evaluation',
    'export',
    'inference',
    'models',
    'visualization',
]
