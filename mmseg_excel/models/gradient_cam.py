"""Gradient CAMs of CLIP's last block in closed form, as WeCLIP and CLIP-ES use them.

The weights of a CAM are the mean over patches of the gradient of a class's probability with
respect to h, the input of the last block's attention. That gradient needs no autograd and no N x N
matrix a class: everything behind the pooled embedding is linear in what comes back from there, so
the classes of all images are one batch, and the sums over patches collapse because rows of an
attention sum to one and rows of its gradient to zero (WeCLIP's method page, section 5; CLIP-ES's,
section 4).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from open_clip.transformer import QuickGELU
from torch import Tensor, nn


@dataclass
class ClassScores:
    """What the texts of an image say of the mean of its patches.

    Attributes:
        embedding: e, mean of the projected patches, (B, C).
        probabilities: p, softmax over the image's own classes and all backgrounds, (B, T); 0 for
            the classes it is not tagged with.
    """

    embedding: Tensor
    probabilities: Tensor


@torch.no_grad()
def gradient_cams(
    tower: nn.Module,
    tokens: Tensor,
    texts: Tensor,
    allowed: Tensor,
    classes: Tensor,
    scale: float,
) -> Tensor:
    """Class activation maps before their normalisation, w_c · h_n, negative values included.

    Args:
        tower: open_clip's vision tower.
        tokens: What enters its last block, x, (B, N, D), class token first.
        texts: Text embeddings T_t, (T, C), rows of unit length.
        allowed: Which texts compete in an image: its classes and the backgrounds, boolean (B, T).
        classes: The K classes to map in each image, indices into `texts`, (B, K).
        scale: exp(logit_scale).

    Returns:
        (B, K, P), in the precision of the tokens.
    """
    block = LastBlock(tower, tokens)
    scores = class_scores(block.embedding(), texts, allowed, scale)
    weights = block.mean_gradient(pooled_gradient(scores, texts, classes, scale))
    return weights @ block.h[:, 1:].transpose(1, 2)


def class_scores(embedding: Tensor, texts: Tensor, allowed: Tensor, scale: float) -> ClassScores:
    """Probabilities of an image's texts, given e (B, C)."""
    logits = scale * F.normalize(embedding, dim=-1) @ texts.T
    return ClassScores(embedding, logits.masked_fill(~allowed, -torch.inf).softmax(dim=-1))


def pooled_gradient(scores: ClassScores, texts: Tensor, classes: Tensor, scale: float) -> Tensor:
    """∂p_c/∂e of the given classes (B, K): (B, K, C)."""
    unit = F.normalize(scores.embedding, dim=-1)[:, None]
    length = scores.embedding.norm(dim=-1)[:, None, None]
    mean_text = (scores.probabilities @ texts)[:, None]
    probability = scores.probabilities.gather(1, classes)[..., None]
    toward = scale * probability * (texts[classes] - mean_text)
    return (toward - unit * (unit * toward).sum(dim=-1, keepdim=True)) / length


class LastBlock:
    """Forward pass of the last block, and the mean gradient it hands back.

    Args:
        tower: open_clip's vision tower.
        tokens: x, (B, N, D).
    """

    def __init__(self, tower: nn.Module, tokens: Tensor) -> None:
        self.tower = tower
        self.block = tower.transformer.resblocks[-1]
        attention = self.block.attn
        self.num_heads = attention.num_heads
        self.h = self.block.ln_1(tokens)
        qkv = F.linear(self.h, attention.in_proj_weight, attention.in_proj_bias)
        self.q, self.k, self.v = (self._heads(part) for part in qkv.chunk(3, dim=-1))
        self.width = self.q.shape[-1] ** -0.5
        self.attention = (self.q @ self.k.transpose(-1, -2) * self.width).softmax(dim=-1)
        self.mixed = self.attention @ self.v
        out = attention.out_proj
        self.attended = tokens + F.linear(
            self.mixed.transpose(1, 2).flatten(2), out.weight, out.bias
        )
        inner, activation, outer = self.block.mlp
        self.hidden = inner(self.block.ln_2(self.attended))
        self.output = self.attended + outer(activation(self.hidden))

    def embedding(self) -> Tensor:
        """The mean of the projected *patches*, e, (B, C); CLIP's class token has no part in it."""
        return self.tower.ln_post(self.output)[:, 1:].mean(dim=1) @ self.tower.proj

    def mean_gradient(self, gradient: Tensor) -> Tensor:
        """Mean over patches of the gradient at h, given the one at e: (B, K, C) -> (B, K, D)."""
        count = self.h.shape[1] - 1
        pooled = gradient @ self.tower.proj.T / count
        behind = self._through_mlp(
            layer_norm_gradient(self.tower.ln_post, self.output[:, None, 1:], pooled[:, :, None])
        )
        return self._through_attention(behind) / count

    def _through_mlp(self, gradient: Tensor) -> Tensor:
        """From the block's output to what attention added up to, (B, K, P, D)."""
        inner, activation, outer = self.block.mlp
        slope = activation_slope(activation, self.hidden[:, None, 1:])
        hidden = slope * (gradient @ outer.weight)
        return gradient + layer_norm_gradient(
            self.block.ln_2, self.attended[:, None, 1:], hidden @ inner.weight
        )

    def _through_attention(self, gradient: Tensor) -> Tensor:
        """Sum over patches of the gradient at h, by way of q, k and v: (B, K, D)."""
        mixed = self._heads(gradient @ self.block.attn.out_proj.weight)  # (B, K, H, P, d)
        attention = self.attention[:, :, 1:]
        from_class_token = attention[..., 0]
        along = torch.einsum('bkhpd,bhpd->bkhp', mixed, self.mixed[:, :, 1:])
        to_values = torch.einsum('bhp,bkhpd->bkhd', 1 - from_class_token, mixed)
        # All classes are columns of one product with the attention, which is large.
        gathered = torch.einsum('bhpn,bkhpd->bkhnd', attention, mixed)
        shares = torch.einsum('bhnd,bkhnd->bkhn', self.v, gathered)
        shares = shares - torch.einsum('bhpn,bkhp->bkhn', attention, along)
        to_queries = torch.einsum('bkhn,bhnd->bkhd', shares, self.k)
        at_class_token = torch.einsum('bhd,bkhpd->bkhp', self.v[..., 0, :], mixed) - along
        at_class_token = at_class_token * from_class_token[:, None]
        to_keys = -torch.einsum('bkhp,bhpd->bkhd', at_class_token, self.q[..., 1:, :])
        parts = (self.width * to_queries, self.width * to_keys, to_values)
        sums = torch.cat([part.flatten(-2) for part in parts], dim=-1)
        return sums @ self.block.attn.in_proj_weight

    def _heads(self, tokens: Tensor) -> Tensor:
        """Split (..., N, D) into heads, (..., H, N, d)."""
        return tokens.unflatten(-1, (self.num_heads, -1)).transpose(-2, -3)


def layer_norm_gradient(norm: nn.LayerNorm, x: Tensor, gradient: Tensor) -> Tensor:
    """Backward pass of a layer norm at its input x; both (..., D)."""
    centred = x - x.mean(dim=-1, keepdim=True)
    deviation = (centred.square().mean(dim=-1, keepdim=True) + norm.eps).sqrt()
    unit, scaled = centred / deviation, norm.weight * gradient
    along = (scaled * unit).mean(dim=-1, keepdim=True)
    return (scaled - scaled.mean(dim=-1, keepdim=True) - unit * along) / deviation


def activation_slope(activation: nn.Module, x: Tensor) -> Tensor:
    """Derivative of CLIP's activation, QuickGELU x σ(1.702 x) or GELU."""
    if isinstance(activation, QuickGELU):
        gate = torch.sigmoid(1.702 * x)
        return gate * (1 + 1.702 * x * (1 - gate))
    cumulative = 0.5 * (1 + torch.erf(x * 0.5**0.5))
    return cumulative + x * torch.exp(-0.5 * x.square()) / (2 * torch.pi) ** 0.5


def normalise_twice(maps: Tensor) -> Tensor:
    """Clip at zero and stretch to 0..1 over the cells (last axis), twice.

    A gradient's size tells how likely a class is, often less than the ε of one pass.
    """
    maps = maps.clamp(min=0)
    for _ in range(2):
        low, high = maps.amin(dim=-1, keepdim=True), maps.amax(dim=-1, keepdim=True)
        maps = (maps - low) / (high - low + 1e-7)
    return maps
