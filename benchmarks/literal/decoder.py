"""Adapter, relation and decoder (docs/method.md, section 6).

Parameters carry the names of the published checkpoints: `decoder_fts_fuse.*` and `decoder.*`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AdapterAndDecoder(nn.Module):
    """Everything that is trained.

    Args:
        width: D, width of the vision tower.
        num_outputs: n + 1.
        num_layers: L, the number of layer outputs.
        embed_dims: Width of the fused features. Defaults to 256.
        num_blocks: Decoder blocks. Defaults to 3.
        num_heads: Decoder heads. Defaults to 8.
    """

    def __init__(
        self,
        width: int,
        num_outputs: int,
        num_layers: int = 12,
        embed_dims: int = 256,
        num_blocks: int = 3,
        num_heads: int = 8,
    ) -> None:
        super().__init__()
        self.decoder_fts_fuse = Adapter(width, num_layers, embed_dims)
        self.decoder = Decoder(embed_dims, num_blocks, num_heads, num_outputs)

    def forward(self, outputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the fused features (B, 256, g, g) and the logits (B, n + 1, g, g)."""
        fused = self.decoder_fts_fuse(outputs)
        return fused, self.decoder(fused)


class Adapter(nn.Module):
    """Fuse the patch tokens of all L layer outputs."""

    def __init__(self, width: int, num_layers: int, embed_dims: int) -> None:
        super().__init__()
        self.linears_modulelist = nn.ModuleList(
            LayerMLP(width, embed_dims) for _ in range(num_layers)
        )
        self.linear_fuse = nn.Conv2d(num_layers * embed_dims, embed_dims, kernel_size=1)
        self.dropout = nn.Dropout2d(0.1)

    def forward(self, outputs: Sequence[Tensor]) -> Tensor:
        """Fuse L tensors (B, N, D) into G (B, 256, g, g)."""
        maps = []
        for output, mlp in zip(outputs, self.linears_modulelist, strict=True):
            patches = mlp(output[:, 1:])
            side = int(patches.shape[1] ** 0.5)
            maps.append(patches.transpose(1, 2).unflatten(2, (side, side)))
        return self.dropout(self.linear_fuse(torch.cat(maps, dim=1)))


class LayerMLP(nn.Module):
    """Two linear layers with a ReLU between them."""

    def __init__(self, width: int, embed_dims: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, embed_dims)
        self.proj_2 = nn.Linear(embed_dims, embed_dims)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map patch tokens (B, P, D) to (B, P, 256)."""
        return self.proj_2(F.relu(self.proj(tokens)))


class Decoder(nn.Module):
    """Transformer blocks over the patches, then one logit per class and background."""

    def __init__(self, embed_dims: int, num_blocks: int, num_heads: int, num_outputs: int) -> None:
        super().__init__()
        blocks = [Block(embed_dims, num_heads) for _ in range(num_blocks)]
        self.transformer = nn.ModuleDict({'resblocks': nn.ModuleList(blocks)})
        self.linear_pred = nn.Conv2d(embed_dims, num_outputs, kernel_size=1)

    def forward(self, fused: Tensor) -> Tensor:
        """Turn G (B, 256, g, g) into logits (B, n + 1, g, g)."""
        tokens = fused.flatten(2).transpose(1, 2)
        for block in self.transformer['resblocks']:
            tokens = block(tokens)
        return self.linear_pred(tokens.transpose(1, 2).unflatten(2, fused.shape[2:]))


class Block(nn.Module):
    """A pre-norm transformer block like CLIP's."""

    def __init__(self, embed_dims: int, num_heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(embed_dims, num_heads, batch_first=True)
        self.ln_1 = nn.LayerNorm(embed_dims)
        self.mlp = nn.Sequential(
            OrderedDict(
                c_fc=nn.Linear(embed_dims, 4 * embed_dims),
                gelu=QuickGELU(),
                c_proj=nn.Linear(4 * embed_dims, embed_dims),
            )
        )
        self.ln_2 = nn.LayerNorm(embed_dims)

    def forward(self, tokens: Tensor) -> Tensor:
        """Update tokens (B, P, 256)."""
        hidden = self.ln_1(tokens)
        attended, _ = self.attn(hidden, hidden, hidden, need_weights=True)
        tokens = tokens + attended
        return tokens + self.mlp(self.ln_2(tokens))


class QuickGELU(nn.Module):
    """CLIP's approximation of GELU."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply x sigmoid(1.702 x)."""
        return x * torch.sigmoid(1.702 * x)


def shifted_similarity(fused: Tensor, alpha: float = 3.0, beta: float = 1.0) -> Tensor:
    """Return alpha (cos - beta mean(cos)), (B, P, P); the mean runs over all of `fused`."""
    patches = F.normalize(fused.flatten(2), dim=1)
    cosine = patches.transpose(1, 2) @ patches
    return alpha * (cosine - beta * cosine.mean())


def dynamic_relation(fused: Tensor, alpha: float = 3.0, beta: float = 1.0) -> Tensor:
    """R, (B, P, P): softmax over the similarities that are not negative; carries no gradient."""
    similarity = shifted_similarity(fused.detach(), alpha, beta)
    return similarity.masked_fill(similarity < 0, float('-inf')).softmax(dim=-1)


def predict_affinity(fused: Tensor, alpha: float = 3.0, beta: float = 1.0) -> Tensor:
    """attn_pred, (B, P, P), differentiable, its mean included."""
    return shifted_similarity(fused, alpha, beta).sigmoid()
