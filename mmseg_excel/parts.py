"""All parts that MMSegmentation's registries know; importing this module registers them."""

from .utils.import_noise import without_import_noise

with without_import_noise():
    from mmseg.utils import register_all_modules

    from . import datasets, densecrf, engine, evaluation, export, inference, models, visualization

    # MMEngine does this for registries without locations, such as those of samplers and loops; now
    # they have ours.
    register_all_modules(init_default_scope=False)

__all__ = [
    'datasets',
    'densecrf',
    'engine',
    'evaluation',
    'export',
    'inference',
    'models',
    'visualization',
]
