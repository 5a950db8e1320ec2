"""ExCEL for MMSegmentation: importing this package registers all its parts."""

from . import datasets, engine, evaluation, models, postprocess, visualization
from .version import __version__

__all__ = [
    '__version__',
    'datasets',
    'engine',
    'evaluation',
    'models',
    'postprocess',
    'visualization',
]
