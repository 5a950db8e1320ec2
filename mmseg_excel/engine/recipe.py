"""What of a config decides the numbers of a training, and what of it has changed."""

from __future__ import annotations

from mmengine.config import Config
from mmengine.dist import get_world_size

from ..utils.plain import Plain, plain
from ..utils.records import first_difference, told

_DECISIVE = {
    *('model', 'data_preprocessor', 'model_wrapper_cfg', 'train_dataloader', 'optim_wrapper'),
    *('param_scheduler', 'auto_scale_lr', 'custom_hooks'),
}
# What of these does not, or only at the beginning: how data is read and where it lies, where
# initial weights come from (CLIP's are known by their fingerprint), and how is tested.
_INDECISIVE = {
    *('num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor', 'data_root'),
    *('pretrained', 'init_cfg', 'test_cfg'),
}
_DRAWING_HOOK = 'PseudoLabelVisualizationHook'


def recipe_of(cfg: Config, seed: int | None) -> dict[str, Plain]:
    """The decisive settings of a training, as plain data.

    Args:
        cfg: Config.
        seed: The run's; None leaves it open.
    """
    recipe = {key: _decisive(plain(value)) for key, value in cfg.items() if key in _DECISIVE}
    recipe['randomness'] = dict(seed=seed)
    recipe['number of processes'] = get_world_size()
    return recipe


def change(old: dict, new: dict) -> str | None:
    """The first difference between two recipes as half a sentence; an open seed is none."""
    if new['randomness'] == dict(seed=None):
        new = new | dict(randomness=old.get('randomness'))
    difference = first_difference(old, new)
    return difference and told(difference)


def _decisive(value: Plain) -> Plain:
    if isinstance(value, dict):
        return {k: _decisive(v) for k, v in value.items() if k not in _INDECISIVE}
    if isinstance(value, list):
        return [_decisive(item) for item in value if not _draws(item)]
    return value


def _draws(item: Plain) -> bool:
    return isinstance(item, dict) and item.get('type') == _DRAWING_HOOK
