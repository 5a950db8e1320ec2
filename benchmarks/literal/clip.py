"""CLIP's vision transformer with its calibrated stream (docs/method.md, sections 2 and 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

State = Mapping[str, Tensor]

MODES = {'q-k': ('qk',), 'q-q': ('qq',), 'k-k': ('kk',), 'v-v': ('vv',), 'qkv': ('qq', 'kk', 'vv')}


@dataclass
class Encoding:
    """What one pass over a batch leaves behind.

    Attributes:
        outputs: L tensors (B, N, D), the block outputs as the adapter sees them (section 6).
        attention: L tensors (B, N, N), mean over heads, or sum over heads in calibrated blocks.
        calibrated: (B, N, D), the finished calibrated stream, which enters `ln_post`.
        tokens: (B, N, D), the finished original stream, plain CLIP's.
        features: (B, N, C), projected and divided by its norm over the tokens.
    """

    outputs: list[Tensor]
    attention: list[Tensor]
    calibrated: Tensor
    tokens: Tensor
    features: Tensor


@torch.no_grad()
def encode_image(
    state: State,
    images: Tensor,
    *,
    mode: str = 'qkv',
    num_calibrated: int = 5,
    relation: Tensor | None = None,
) -> Encoding:
    """Run the vision tower and its calibrated stream.

    Args:
        state: CLIP weights under OpenAI's names (`visual.*`).
        images: (B, 3, S, S) normalised images.
        mode: What the calibrated blocks correlate: 'q-k', 'q-q', 'k-k', 'v-v' or 'qkv'.
        num_calibrated: Number of calibrated blocks, counted from the last one.
        relation: (B, P, P), added to the patch-patch part of every head's calibrated map.
    """
    tokens = embed_patches(state, images)
    num_blocks, num_heads = tower_size(state)
    first = num_blocks - num_calibrated
    calibrated = tokens
    outputs: list[Tensor] = []
    attention: list[Tensor] = []
    for block in range(num_blocks):
        q, k, v = queries_keys_values(state, block, tokens, num_heads)
        weights = correlation(q, k)
        residual = project_heads(state, block, weights @ v)
        if block >= first:
            if block == first:
                calibrated = tokens
            head_maps = calibrated_maps(q, k, v, mode)
            if relation is not None:
                head_maps[:, :, 1:, 1:] += relation[:, None]
            shared = head_maps.sum(dim=1, keepdim=True)
            calibrated = calibrated + project_heads(state, block, shared @ v)
            attention.append(weights.sum(dim=1))
        else:
            attention.append(weights.mean(dim=1))
        tokens = tokens + residual
        if block > first:
            outputs[block - 1] = tokens
        tokens = tokens + mlp(state, block, tokens)
        outputs.append(tokens)
    calibrated = torch.cat([tokens[:, :1], calibrated[:, 1:]], dim=1)
    if first > 0:
        outputs[first - 1] = calibrated
    return Encoding(outputs, attention, calibrated, tokens, project_tokens(state, calibrated))


def tower_size(state: State) -> tuple[int, int]:
    """Return the numbers of blocks and heads; CLIP's heads are 64 wide."""
    names = [name for name in state if name.startswith('visual.transformer.resblocks.')]
    num_blocks = 1 + max(int(name.split('.')[3]) for name in names)
    return num_blocks, state['visual.class_embedding'].numel() // 64


def embed_patches(state: State, images: Tensor) -> Tensor:
    """Turn images into the tokens that enter the first block."""
    kernel = state['visual.conv1.weight']
    patches = F.conv2d(images, kernel, stride=kernel.shape[-1])
    height, width = patches.shape[-2:]
    patches = patches.flatten(2).transpose(1, 2)
    class_token = state['visual.class_embedding'].expand(len(images), 1, -1)
    position = resize_position(state['visual.positional_embedding'], height, width)
    tokens = torch.cat([class_token, patches], dim=1) + position
    return layer_norm(state, 'visual.ln_pre', tokens)


def resize_position(embedding: Tensor, height: int, width: int) -> Tensor:
    """Resize the position embedding's grid, leaving the class token's row alone."""
    side = int((len(embedding) - 1) ** 0.5)
    grid = embedding[1:].T.reshape(1, -1, side, side)
    grid = F.interpolate(grid, (height, width), mode='bilinear', align_corners=False)
    return torch.cat([embedding[:1], grid[0].flatten(1).T])


def queries_keys_values(
    state: State, block: int, tokens: Tensor, num_heads: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return q, k and v, each (B, H, N, d)."""
    name = f'visual.transformer.resblocks.{block}'
    hidden = layer_norm(state, f'{name}.ln_1', tokens)
    weight, bias = state[f'{name}.attn.in_proj_weight'], state[f'{name}.attn.in_proj_bias']
    projected = F.linear(hidden, weight, bias).chunk(3, dim=-1)
    q, k, v = (part.unflatten(-1, (num_heads, -1)).transpose(1, 2) for part in projected)
    return q, k, v


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """softmax(a bT / sqrt(d)), one N x N map per head."""
    scores = a @ b.transpose(-2, -1) / a.shape[-1] ** 0.5
    return scores.softmax(dim=-1)


def calibrated_maps(q: Tensor, k: Tensor, v: Tensor, mode: str) -> Tensor:
    """E_l of section 3, (B, H, N, N)."""
    parts = {'q': q, 'k': k, 'v': v}
    maps = [correlation(parts[a], parts[b]) for a, b in MODES[mode]]
    return torch.stack(maps).mean(dim=0)


def project_heads(state: State, block: int, heads: Tensor) -> Tensor:
    """O_l: join the heads (B, H, N, d) and project them, with the bias."""
    name = f'visual.transformer.resblocks.{block}.attn.out_proj'
    joined = heads.transpose(1, 2).flatten(2)
    return F.linear(joined, state[f'{name}.weight'], state[f'{name}.bias'])


def mlp(state: State, block: int, tokens: Tensor) -> Tensor:
    """The block's second residual branch."""
    name = f'visual.transformer.resblocks.{block}'
    hidden = layer_norm(state, f'{name}.ln_2', tokens)
    hidden = F.linear(hidden, state[f'{name}.mlp.c_fc.weight'], state[f'{name}.mlp.c_fc.bias'])
    hidden = hidden * torch.sigmoid(1.702 * hidden)
    return F.linear(hidden, state[f'{name}.mlp.c_proj.weight'], state[f'{name}.mlp.c_proj.bias'])


def project_tokens(state: State, tokens: Tensor) -> Tensor:
    """`ln_post`, projection, and division by the norm over the token axis (section 3)."""
    features = layer_norm(state, 'visual.ln_post', tokens) @ state['visual.proj']
    return features / features.norm(dim=1, keepdim=True)


def layer_norm(state: State, name: str, tokens: Tensor) -> Tensor:
    """LayerNorm over the channels, in fp32."""
    return F.layer_norm(
        tokens.float(), tokens.shape[-1:], state[f'{name}.weight'], state[f'{name}.bias']
    )
