"""CLIP through open_clip: vision towers, text encoders, and what identifies them.

CLIP is frozen and public, so a tower is always built from a weight file and never saved by us.
Vision and text towers are built apart: testing never needs the text tower.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from open_clip.model import CLIPTextCfg, CLIPVisionCfg, _build_text_tower, _build_vision_tower
from open_clip.transformer import TextTransformer, VisionTransformer
from torch import Tensor, nn

from ..utils.bad_input import BadInput
from ..utils.checks import check_sentences, check_whole, shown
from ..utils.plain import sha256, sha256_of_tensors
from .tokens import CONTEXT_LENGTH, is_cut
from .weights import SCALARS, read_weights

ASSETS = Path(__file__).parent.parent / 'assets'
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
            BadInput: If the tower is not a plain ViT with a class token, or does not fit the
                weights.
        """
        vision_cfg = self.config['vision_cfg']
        _check_plain_vit(self.model, vision_cfg)
        # On `meta`: random initialisation of weights that are replaced at once is wasted time.
        with torch.device('meta'):
            tower = self._built(_build_vision_tower, CLIPVisionCfg, vision_cfg)
        _load(tower, self._vision_state, f"CLIP model '{self.model}'", assign=True)
        return tower.eval().requires_grad_(False)

    def text_encoder(self) -> TextEncoder:
        """Build the text tower with its tokenizer.

        Raises:
            BadInput: If there is no text tower, or it does not fit the weights.
        """
        owner = f"the text tower of CLIP model '{self.model}'"
        if not self._text_state:
            raise BadInput(
                f'the CLIP weights hold no text tower, and {owner} is needed to encode classes: '
                'give weights of a whole CLIP.'
            )
        tower = self._built(_build_text_tower, CLIPTextCfg, self.config['text_cfg'])
        _load(tower, self._text_state, owner)
        tokenizer = open_clip.get_tokenizer(self.model)
        fingerprint = sha256([self.text_identity(), _tokenizer_identity(tokenizer)])
        return TextEncoder(tower.eval().requires_grad_(False), tokenizer, fingerprint)

    def vision_identity(self) -> dict:
        """What the vision tower is: its weights, whatever file format, and its configuration."""
        return self._identity(self._vision_state, CLIPVisionCfg, 'vision_cfg')

    def text_identity(self) -> dict:
        """The same of the text tower, without its tokenizer."""
        return self._identity(self._text_state, CLIPTextCfg, 'text_cfg')

    @property
    def _vision_state(self) -> dict[str, Tensor]:
        return {k.removeprefix('visual.'): v for k, v in self.state.items() if _is_visual(k)}

    @property
    def _text_state(self) -> dict[str, Tensor]:
        return {k.removeprefix('text.'): v for k, v in self.state.items() if _is_text(k)}

    def _identity(self, state: Mapping[str, Tensor], kind: type, part: str) -> dict:
        config = dict(
            embed_dim=self.config['embed_dim'],
            quick_gelu=self._quick_gelu,
            **changed_settings(kind, self.config[part]),
        )
        return dict(sha256=sha256_of_tensors(state), config=config)

    def _built(self, build: Callable[..., nn.Module], kind: type, part: dict) -> nn.Module:
        try:
            return build(self.config['embed_dim'], kind(**part), self._quick_gelu)
        except Exception as error:  # whatever is wrong with a configuration, or not installed
            reason = ' '.join(str(error).split())[:200]
            raise BadInput(
                f"open_clip cannot build a tower of CLIP model '{self.model}' "
                f'({type(error).__name__}: {reason}): use a CLIP ViT such as '
                "'ViT-B-16-quickgelu'."
            ) from error

    def logit_scale(self) -> float:
        """What cosines of images and texts are multiplied with before a softmax, 100 in OpenAI's.

        Weight files that keep none are taken for such.
        """
        return math.exp(self.state.get('logit_scale', math.log(100)))

    @property
    def _quick_gelu(self) -> bool:
        return bool(self.config.get('quick_gelu', False))


def changed_settings(kind: type, settings: Mapping[str, object]) -> dict[str, object]:
    """Settings of one of open_clip's configurations without those that are its defaults."""
    defaults = {option.name: option.default for option in fields(kind)}
    return {k: v for k, v in settings.items() if k not in defaults or v != defaults[k]}


class TextEncoder:
    """Encodes sentences with CLIP's text tower.

    Args:
        tower: open_clip text tower.
        tokenizer: Its tokenizer.
        fingerprint: Hash of the tower's weights and configuration and of the tokenizer, part of
            every cache key.
    """

    def __init__(
        self, tower: nn.Module, tokenizer: Callable[..., Tensor], fingerprint: str
    ) -> None:
        self.tower = tower
        self.tokenizer = tokenizer
        self.fingerprint = fingerprint
        self.causal_mask = tower.attn_mask if _reads_up_to_the_end(tower) else None

    @torch.no_grad()
    def __call__(self, sentences: Sequence[str], batch_size: int = 256) -> Tensor:
        """Embed M sentences: (M, C), each row of unit length.

        Raises:
            BadInput: There is no sentence, or one has more tokens than CLIP reads.
        """
        check_sentences('sentences', sentences)
        check_whole('batch_size', batch_size, '[1, inf)')
        for sentence in sentences:
            if is_cut(sentence):
                raise BadInput(f'CLIP reads {CONTEXT_LENGTH} tokens, not all of {shown(sentence)}.')
        tokens = self.tokenizer(list(sentences))
        embeddings = [self._embed(batch) for batch in tokens.split(batch_size)]
        return F.normalize(torch.cat(embeddings), dim=-1)

    def _embed(self, tokens: Tensor) -> Tensor:
        """Embed rows of tokens, (M, 77) to (M, C); padding after the longest text is not read."""
        if self.causal_mask is not None:
            length = int(tokens.argmax(dim=1).max()) + 1  # no token's number is above the end's
            tokens = tokens[:, :length]
            self.tower.attn_mask = self.causal_mask[:length, :length]
        return self.tower(tokens)


def _reads_up_to_the_end(tower: nn.Module) -> bool:
    """Whether a text's embedding is its end token's, which sees nothing that comes after it."""
    return (
        isinstance(tower, TextTransformer)
        and tower.pool_type == 'argmax'
        and tower.attn_mask is not None
        and tower.cls_emb is None
        and not getattr(tower, 'use_pad_mask', False)  # newer than the oldest open_clip allowed
    )


def load_clip(model: str, pretrained: str) -> CLIP:
    """Read a CLIP.

    Args:
        model: open_clip model name, for example ``'ViT-B-16-quickgelu'``.
        pretrained: open_clip tag (``'openai'``: downloaded and cached), ``'packaged'`` (the toy
            CLIP that ships with this package), or a local file: OpenAI JIT archive, plain state
            dict, safetensors.

    Raises:
        BadInput: Unknown model or tag, or a file that holds no CLIP.
        FileNotFoundError: The weights are neither a file nor downloadable.
    """
    config = model_config(model)
    path = weight_file(model, pretrained)
    state = read_weights(path)
    if 'visual.class_embedding' not in state:
        raise BadInput(
            f"'{path}' holds no CLIP vision transformer (no tensor 'visual.class_embedding'): "
            'give the weights of a CLIP ViT with a class token.'
        )
    return CLIP(model, config, state)


def model_config(model: str) -> dict:
    """open_clip's configuration of a model.

    Raises:
        BadInput: open_clip knows no such model, or it is no CLIP.
    """
    _check_name('FrozenCLIP.model', model, "an open_clip model name such as 'ViT-B-16-quickgelu'")
    try:
        config = open_clip.get_model_config(model)
    except Exception as error:  # a folder or hub that cannot be read
        raise BadInput(
            f"open_clip has no readable configuration of '{model}' ({type(error).__name__}): use "
            "a name from open_clip.list_models(), for example 'ViT-B-16-quickgelu'."
        ) from error
    if config is None:
        raise BadInput(
            f"open_clip knows no model '{model}': use a name from open_clip.list_models(), "
            "for example 'ViT-B-16-quickgelu'."
        )
    for key, kind in (('embed_dim', int), ('vision_cfg', dict), ('text_cfg', dict)):
        if not isinstance(config.get(key), kind):
            raise BadInput(
                f"open_clip's configuration of '{model}' sets no {key}, which a CLIP needs: use "
                "a model such as 'ViT-B-16-quickgelu'."
            )
    return config


def weight_file(model: str, pretrained: str) -> Path:
    """Find the weight file, downloading it when `pretrained` is an open_clip tag.

    Raises:
        BadInput: `pretrained` is no name at all.
        FileNotFoundError: The weights are neither a file nor downloadable.
    """
    _check_name('FrozenCLIP.pretrained', pretrained, 'a weight file or an open_clip tag')
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


def _check_name(setting: str, value: object, wanted: str) -> None:
    good = isinstance(value, str | Path) and str(value).strip() and '\0' not in str(value)
    if not good:
        raise BadInput(f'{setting} is {shown(value)}, but must be {wanted}.')


def _tokenizer_identity(tokenizer: Any) -> dict:
    """Its vocabulary, and what it makes of a text that is too long and full of odd characters."""
    words = getattr(tokenizer, 'encoder', None) or tokenizer.tokenizer.get_vocab()
    probe = 'A clean <b>origami</b> caf\u00e9, \u2019t 12_3! ' * 40
    return dict(type=type(tokenizer), words=sha256(words), tokens=tokenizer([probe, '']))


def _is_visual(key: str) -> bool:
    return key.startswith('visual.')


def _is_text(key: str) -> bool:
    return not _is_visual(key) and key not in SCALARS


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
        raise BadInput(
            f"open_clip model '{model}' has no plain ViT with a class token "
            f'({", ".join(differing) or "it is a ResNet"}), which the calibration needs: '
            "use a CLIP ViT such as 'ViT-B-16-quickgelu'."
        )


def _load(module: nn.Module, state: dict[str, Tensor], owner: str, assign: bool = False) -> None:
    """Load strictly, reporting the first tensor that does not fit."""
    expected = {name: tensor.shape for name, tensor in module.state_dict().items()}
    for name in sorted(expected.keys() | state.keys()):
        wanted, given = expected.get(name), getattr(state.get(name), 'shape', None)
        if wanted != given:
            raise BadInput(
                f"the CLIP weights do not fit {owner}: tensor '{name}' should be "
                f'{_shape(wanted)} and is {_shape(given)}; choose the model name these weights '
                'belong to.'
            )
    module.load_state_dict(state, assign=assign)


def _shape(shape: torch.Size | None) -> str:
    return 'absent' if shape is None else 'x'.join(map(str, shape)) or 'a scalar'
