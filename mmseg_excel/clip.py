"""Reading CLIP through open_clip: weight files, vision towers, text encoders.

CLIP is frozen and public, so a tower is always built from a weight file and never saved by us.
Vision and text towers are built apart: testing never needs the text tower.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import open_clip
import torch
import torch.nn.functional as F
from open_clip.model import CLIPTextCfg, CLIPVisionCfg, _build_text_tower, _build_vision_tower
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn

ASSETS = Path(__file__).parent / 'assets'
PACKAGED = 'packaged'

open_clip.add_model_config(ASSETS)


@dataclass(frozen=True)
class CLIP:
    """A CLIP as read from a file: its open_clip configuration and its weights in fp32.

    Attributes:
        model: open_clip model name.
        config: open_clip model configuration (``embed_dim``, ``vision_cfg``, ``text_cfg``).
        state: Weights under OpenAI's key names (``visual.*`` and the text tower's).
    """

    model: str
    config: dict
    state: dict[str, Tensor] = field(repr=False)

    def vision_tower(self) -> VisionTransformer:
        """Build the vision tower, frozen and in evaluation mode.

        Raises:
            ValueError: If the tower is not a plain ViT with a class token, or does not fit the
                weights.
        """
        state = {k.removeprefix('visual.'): v for k, v in self.state.items() if _is_visual(k)}
        vision_cfg = self.config['vision_cfg']
        _check_plain_vit(self.model, vision_cfg)
        # On `meta`: random initialisation of weights that are replaced at once is wasted time.
        with torch.device('meta'):
            tower = _build_vision_tower(
                self.config['embed_dim'], CLIPVisionCfg(**vision_cfg), self._quick_gelu
            )
        _load(tower, state, f"CLIP model '{self.model}'", assign=True)
        return tower.eval().requires_grad_(False)

    def text_encoder(self) -> TextEncoder:
        """Build the text tower with its tokenizer.

        Raises:
            ValueError: If the tower does not fit the weights.
        """
        state = {k.removeprefix('text.'): v for k, v in self.state.items() if _is_text(k)}
        tower = _build_text_tower(
            self.config['embed_dim'], CLIPTextCfg(**self.config['text_cfg']), self._quick_gelu
        )
        _load(tower, state, f"the text tower of CLIP model '{self.model}'")
        tokenizer = open_clip.get_tokenizer(self.model)
        return TextEncoder(tower.eval().requires_grad_(False), tokenizer, _sha256(state))

    def vision_sha256(self) -> str:
        """Fingerprint of the vision weights, the same for every file format and precision."""
        return _sha256({k: v for k, v in self.state.items() if _is_visual(k)})

    @property
    def _quick_gelu(self) -> bool:
        return self.config.get('quick_gelu', False)


class TextEncoder:
    """Encodes sentences with CLIP's text tower.

    Args:
        tower: open_clip text tower.
        tokenizer: Its tokenizer.
        fingerprint: Hash of the tower's weights, part of every cache key.
    """

    def __init__(self, tower: nn.Module, tokenizer, fingerprint: str) -> None:
        self.tower = tower
        self.tokenizer = tokenizer
        self.fingerprint = fingerprint

    @torch.no_grad()
    def __call__(self, sentences: Sequence[str], batch_size: int = 256) -> Tensor:
        """Embed M sentences: (M, C), each row of unit length."""
        tokens = self.tokenizer(list(sentences))
        embeddings = [self.tower(batch) for batch in tokens.split(batch_size)]
        return F.normalize(torch.cat(embeddings), dim=-1)


def load_clip(model: str, pretrained: str) -> CLIP:
    """Read a CLIP.

    Args:
        model: open_clip model name, for example ``'ViT-B-16-quickgelu'``.
        pretrained: open_clip tag (``'openai'``: downloaded and cached), ``'packaged'`` (the toy
            CLIP that ships with this package), or a local file: OpenAI JIT archive, plain state
            dict, safetensors.

    Raises:
        ValueError: Unknown model or tag, or a file that holds no CLIP.
        FileNotFoundError: The weights are neither a file nor downloadable.
    """
    config = open_clip.get_model_config(model)
    if config is None:
        raise ValueError(
            f"open_clip knows no model '{model}': use a name from open_clip.list_models(), "
            "for example 'ViT-B-16-quickgelu'."
        )
    path = weight_file(model, pretrained)
    state = _read_state_dict(path)
    if 'visual.class_embedding' not in state:
        raise ValueError(
            f"'{path}' holds no CLIP vision transformer (no tensor 'visual.class_embedding'): "
            'give the weights of a CLIP ViT with a class token.'
        )
    return CLIP(model, config, {name: tensor.float() for name, tensor in state.items()})


def weight_file(model: str, pretrained: str) -> Path:
    """Find the weight file, downloading it when `pretrained` is an open_clip tag."""
    if pretrained == PACKAGED:
        pretrained = str(ASSETS / f'{model}.safetensors')
    if Path(pretrained).is_file():
        return Path(pretrained)
    tags = open_clip.list_pretrained_tags_by_model(model)
    if pretrained not in tags:
        raise FileNotFoundError(
            f"CLIP weights '{pretrained}' for '{model}' are neither a file nor an open_clip tag "
            f'({", ".join(tags) or "there are none for this model"}): give an existing file or '
            'one of these tags.'
        )
    try:
        tag = open_clip.get_pretrained_cfg(model, pretrained)
        return Path(open_clip.download_pretrained(tag))
    except Exception as error:
        raise FileNotFoundError(
            f"CLIP weights '{pretrained}' for '{model}' could not be downloaded "
            f'({type(error).__name__}): connect to the network once, or set `pretrained` '
            '(model.backbone.pretrained in a config) to a local weight file.'
        ) from error


def _read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read tensors from safetensors, a TorchScript archive or a plain state dict; no pickle."""
    try:
        if path.suffix == '.safetensors':
            from safetensors.torch import load_file

            state = load_file(path)
        elif _is_torchscript(path):
            state = torch.jit.load(path, map_location='cpu').state_dict()
        else:
            state = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:
        raise ValueError(
            f"'{path}' could not be read as CLIP weights ({type(error).__name__}): it must be a "
            'TorchScript archive, a state dict of tensors or a safetensors file.'
        ) from error
    state = state.get('state_dict', state)
    state = {name.removeprefix('module.'): value for name, value in state.items()}
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith('constants.pkl') for name in archive.namelist())


def _is_visual(key: str) -> bool:
    return key.startswith('visual.')


# What weight files hold beside the weights of the two towers.
_NO_TOWER = {
    'attn_mask',
    'context_length',
    'input_resolution',
    'logit_bias',
    'logit_scale',
    'vocab_size',
}


def _is_text(key: str) -> bool:
    return not _is_visual(key) and key not in _NO_TOWER


def _check_plain_vit(model: str, vision_cfg: dict) -> None:
    unlike_clip = {
        'timm_model_name': None,
        'attentional_pool': False,
        'ls_init_value': None,
        'no_ln_pre': False,
        'pool_type': 'tok',
        'block_type': None,
        'qk_norm': False,
        'final_ln_after_pool': False,
    }
    differing = [key for key, plain in unlike_clip.items() if vision_cfg.get(key, plain) != plain]
    if differing or not isinstance(vision_cfg.get('layers'), int):
        raise ValueError(
            f"open_clip model '{model}' has no plain ViT with a class token "
            f'({", ".join(differing) or "it is a ResNet"}), which the calibration needs: '
            "use a CLIP ViT such as 'ViT-B-16-quickgelu'."
        )


def _load(module: nn.Module, state: dict[str, Tensor], owner: str, assign: bool = False) -> None:
    """Load strictly, reporting the first tensor that does not fit."""
    expected = {name: tensor.shape for name, tensor in module.state_dict().items()}
    for name in expected.keys() | state.keys():
        wanted, given = expected.get(name), getattr(state.get(name), 'shape', None)
        if wanted != given:
            raise ValueError(
                f"the CLIP weights do not fit {owner}: tensor '{name}' should be "
                f'{_shape(wanted)} and is {_shape(given)}; choose the model name these weights '
                'belong to.'
            )
    module.load_state_dict(state, assign=assign)


def _shape(shape: torch.Size | None) -> str:
    return 'absent' if shape is None else 'x'.join(map(str, shape)) or 'a scalar'


def _sha256(state: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].contiguous().numpy())
    return digest.hexdigest()
