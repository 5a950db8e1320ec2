"""Models from configs and checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from mmengine.config import Config
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules

from ..models.tag_segmentor import TagSegmentor
from ..utils.bad_input import BadInput
from ..utils.checkpoints import naming, read_tensors
from ..utils.checks import shown
from ..utils.config_errors import setting_up
from ..utils.config_file import name_of, read_config_file
from ..utils.config_parts import check_parts

Model = TypeVar('Model', bound=TagSegmentor)


def read_config(config: str | Path | Config) -> Config:
    """Read a config file, or a packaged one by its name.

    Raises:
        FileNotFoundError: If there is neither.
        BadInput: If it cannot be read.
    """
    if isinstance(config, Config):
        return config
    return read_config_file(config)


def build_model(config: Config, kind: type[Model] = TagSegmentor) -> Model:
    """Build the model of a config, without weights but CLIP's.

    Args:
        config: The config.
        kind: Which segmentor is needed. Default: any :class:`TagSegmentor`.

    Raises:
        FileNotFoundError: If CLIP's weights are missing.
        BadInput: If the config has another model, or its settings are unusable.
    """
    register_all_modules(init_default_scope=True)
    if not isinstance(config, Config):
        raise BadInput(f'The config is {shown(config)}, but must be a Config: see read_config().')
    check_parts(config, 'model', 'model.backbone', 'model.text_head')
    with setting_up(config):
        model = MODELS.build(config.model)
    if not isinstance(model, kind):
        raise BadInput(
            f'{name_of(config)} has a model {type(model).__name__}, but this needs {kind.__name__}.'
        )
    return model


def load_weights(model: TagSegmentor, checkpoint: str | Path) -> None:
    """Load a checkpoint; no pickled code runs.

    Raises:
        FileNotFoundError: If there is no such file.
        BadInput: If it is no checkpoint of this model.
    """
    if not isinstance(model, TagSegmentor):
        raise BadInput(f'The model is {shown(model)}, but must be a TagSegmentor.')
    state = read_tensors(checkpoint)
    with naming(checkpoint):
        model.load_state_dict(state)


def named_model(name: str) -> tuple[str, str | None]:
    """Config and checkpoint of ``CONFIG`` or ``CONFIG=CHECKPOINT``."""
    config, _, checkpoint = name.partition('=')
    return config, checkpoint or None
