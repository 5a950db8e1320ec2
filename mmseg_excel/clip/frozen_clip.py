"""FrozenCLIP: open_clip's vision tower, traced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..ops.exporting import refuse_tracing_exporter
from ..ops.resize import resize
from ..utils.bad_input import BadInput
from ..utils.checks import check_flag, check_text
from ..utils.room import Room
from .towers import TextEncoder, load_clip
from .transformer_block import BlockTrace, QuickMLP, run_block


@dataclass
class CLIPTrace:
    """The vision tower's computation on a batch.

    Attributes:
        grid: Patches along height and width, (g_h, g_w); P = g_h * g_w, N = P + 1.
        num_heads: Attention heads H.
        tokens: What enters the first block, (B, N, D), class token first.
        blocks: One trace a block.
        project: ``ln_post`` and the projection into the joint space, (B, N, D) -> (B, N, C).
    """

    grid: tuple[int, int]
    num_heads: int
    tokens: Tensor
    blocks: list[BlockTrace]
    project: Callable[[Tensor], Tensor]

    def drop_inner(self) -> None:
        """Forget all but the blocks' outputs and the attention that was kept."""
        for block in self.blocks:
            block.drop_inner()


@MODELS.register_module()
class FrozenCLIP(Room):
    """CLIP's vision transformer, frozen (docs/method.md, section 2).

    The tower is kept out of parameters and state dict: checkpoints hold what was trained, and
    optimisers, DDP and ``train()`` never see it.

    Args:
        model: open_clip model name of a ViT with a class token.
        pretrained: open_clip tag (downloaded and cached), ``'packaged'`` for the toy CLIP, or a
            local weight file (OpenAI JIT archive, state dict, safetensors).
        half_positions: Whether position embeddings are rounded to half precision once they are
            resized, as CLIP-ES's reference does. Default: False.
    """

    def __init__(
        self,
        model: str = 'ViT-B-16-quickgelu',
        pretrained: str = 'openai',
        half_positions: bool = False,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(init_cfg)
        check_text('FrozenCLIP.model', model)
        check_text('FrozenCLIP.pretrained', pretrained)
        check_flag('FrozenCLIP.half_positions', half_positions)
        self.half_positions = half_positions
        self.model = model
        self.pretrained = pretrained
        clip = load_clip(model, pretrained)
        # In a tuple, so that nn.Module does not register it.
        self._tower = (clip.vision_tower(),)
        self._quick = self._quick_mlps()
        self.sha256, self.config = clip.vision_identity().values()
        self.logit_scale = clip.logit_scale()

    def identity(self) -> dict:
        """What the tower is: the hash of its weights, its configuration, how it is used."""
        return dict(
            model=self.model,
            sha256=self.sha256,
            config=self.config,
            logit_scale=self.logit_scale,
            half_positions=self.half_positions,
        )

    @property
    def tower(self) -> nn.Module:
        """The frozen vision tower."""
        return self._tower[0]

    @property
    def patch_size(self) -> int:
        """Side of a patch in pixels."""
        return self.tower.patch_size[0]

    @property
    def num_layers(self) -> int:
        """Number L of transformer blocks."""
        return len(self.tower.transformer.resblocks)

    @property
    def width(self) -> int:
        """Width D of the tokens."""
        return self.tower.proj.shape[0]

    @property
    def embed_dim(self) -> int:
        """Width C of the joint space of images and texts."""
        return self.tower.proj.shape[1]

    def load_text_encoder(self) -> TextEncoder:
        """Build the matching text encoder from the same weights, on the CPU."""
        return load_clip(self.model, self.pretrained).text_encoder()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> FrozenCLIP:
        """Move the unregistered tower along with the module."""
        self.tower._apply(fn)
        self._quick = self._quick_mlps()
        return super()._apply(fn)

    @torch.no_grad()
    def _quick_mlps(self) -> list[QuickMLP | None]:
        return [QuickMLP.of(block) for block in self.tower.transformer.resblocks]

    @torch.no_grad()
    def forward(
        self, images: Tensor, attention_layers: int = 0, inner_layers: int | None = None
    ) -> CLIPTrace:
        """Trace the tower.

        Args:
            images: Normalised images (B, 3, height, width) of any size; padded at the bottom and
                right to whole patches with zeros, the mean colour.
            attention_layers: How many of the last blocks keep their attention. Default: 0.
            inner_layers: How many of the last blocks keep more than their output. Default: all.

        Raises:
            BadInput: The tower was converted to another precision than float32.
        """
        refuse_tracing_exporter()
        self._check_precision()
        images = pad_to_multiple(images, self.patch_size)
        grid = (images.shape[2] // self.patch_size, images.shape[3] // self.patch_size)
        tokens = x = self._embed(images, grid)
        blocks = []
        resblocks = self.tower.transformer.resblocks
        for index, block in enumerate(resblocks):
            remaining = len(resblocks) - index
            trace = run_block(block, x, remaining <= attention_layers, self._quick[index])
            if inner_layers is not None and remaining > inner_layers:
                trace.drop_inner()
            blocks.append(trace)
            x = trace.output
        num_heads = resblocks[0].attn.num_heads
        return CLIPTrace(grid, num_heads, tokens, blocks, self._project)

    def _check_precision(self) -> None:
        dtype = self.tower.proj.dtype
        if dtype != torch.float32:
            raise BadInput(
                f'The model was converted to {dtype}, but sums and maps need torch.float32: leave '
                'it in that, and predict under torch.autocast, with '
                f'dtype={dtype if dtype.itemsize < 4 else torch.bfloat16}.'
            )

    def _embed(self, images: Tensor, grid: tuple[int, int]) -> Tensor:
        """Patch, class and position embeddings and ``ln_pre``: (B, N, D)."""
        tower = self.tower
        position = resize_position_embedding(tower.positional_embedding, tower.grid_size, grid)
        if self.half_positions:
            position = position.half().to(position.dtype)
        # Every layer sees what is rounded here, and little time is gained: not under autocast.
        with torch.autocast(images.device.type, enabled=False):
            patches = tower.conv1(images).flatten(2).transpose(1, 2)
        class_token = tower.class_embedding.expand(patches.shape[0], 1, -1)
        return tower.ln_pre(torch.cat([class_token, patches], 1) + position)

    def _project(self, tokens: Tensor) -> Tensor:
        return self.tower.ln_post(tokens) @ self.tower.proj


def resize_position_embedding(
    embedding: Tensor, old: tuple[int, int], new: tuple[int, int]
) -> Tensor:
    """Resize a position embedding (1 + old_h * old_w, D) from its *original* grid, bilinearly."""
    class_position, grid_positions = embedding[:1], embedding[1:]
    image = grid_positions.T.unflatten(1, old)[None]
    resized = resize(image, new)
    return torch.cat([class_position, resized[0].flatten(1).T])


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Pad (..., height, width) with zeros at the bottom and right."""
    height, width = images.shape[-2:]
    below, right = ((side + multiple - 1) // multiple * multiple - side for side in (height, width))
    return F.pad(images, (0, right, 0, below))
