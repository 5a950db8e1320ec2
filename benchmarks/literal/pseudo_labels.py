"""Affinity refinement and pixel-adaptive refinement (docs/method.md, section 7)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

DILATIONS = (1, 2, 4, 8, 12, 24)

Box = tuple[int, int, int, int]


def pseudo_labels(
    maps: Tensor,
    attention: Sequence[Tensor],
    tags: Tensor,
    images01: Tensor,
    *,
    attn_pred: Tensor | None = None,
    box_threshold: float = 0.79,
) -> Tensor:
    """Turn the maps of a batch into labels, image by image.

    Args:
        maps: (B, P, n) patch-text maps.
        attention: L tensors (B, N, N).
        tags: (B, n) multi-hot image tags.
        images01: (B, 3, S, S) de-normalised images between 0 and 1.
        attn_pred: (B, P, P) predicted affinity; given in the dynamic phase only.
        box_threshold: tau.

    Returns:
        (B, S, S) class ids, 0 for background, class + 1 otherwise.
    """
    labels = []
    for index, image in enumerate(images01):
        classes = tags[index].nonzero()[:, 0].tolist()
        predicted = None if attn_pred is None else attn_pred[index]
        layers = torch.stack([layer[index, 1:, 1:] for layer in attention])
        transition = transition_matrix(affinity(layers, predicted))
        refined = refine_maps(maps[index], transition, classes, box_threshold)
        scores = score_stack(refined, image.shape[-2:])
        scores = pixel_adaptive_refinement(image[None], scores[None])[0]
        labels.append(to_class_ids(scores, classes))
    return torch.stack(labels)


def affinity(layers: Tensor, attn_pred: Tensor | None, num_layers: int = 6) -> Tensor:
    """Return one image's affinity W (P, P) from its last layers' patch attention (L, P, P)."""
    last = layers[-num_layers:]
    if attn_pred is None:
        return last.mean(dim=0)
    attn_pred = attn_pred.detach()
    differences = (attn_pred - last).sum(dim=(1, 2))
    chosen = differences <= differences.mean()
    mean = last[chosen].sum(dim=0) / (chosen.sum() + 1e-5)
    return mean * attn_pred


def transition_matrix(weights: Tensor, rounds: int = 3) -> Tensor:
    """Balance columns, then rows, three times; symmetrise; square."""
    for _ in range(rounds):
        weights = weights / weights.sum(dim=0, keepdim=True)
        weights = weights / weights.sum(dim=1, keepdim=True)
    weights = (weights + weights.T) / 2
    return weights @ weights


def refine_maps(
    maps: Tensor, transition: Tensor, classes: Sequence[int], box_threshold: float
) -> Tensor:
    """Spread each tagged class's map (P,) inside its boxes; return (k, g, g)."""
    side = int(len(maps) ** 0.5)
    refined = []
    for index in classes:
        grid = maps[:, index].reshape(side, side)
        inside = maps.new_zeros(side, side)
        for x0, y0, x1, y1 in bounding_boxes(grid.cpu().numpy(), box_threshold):
            inside[y0:y1, x0:x1] = 1
        columns = transition * inside.reshape(1, -1)
        refined.append((columns @ grid.reshape(-1, 1)).reshape(side, side))
    return torch.stack(refined) if refined else maps.new_zeros(0, side, side)


def bounding_boxes(grid: np.ndarray, threshold: float) -> list[Box]:
    """Return the boxes (x0, y0, x1, y1), ends excluded, of all contours of the strong cells.

    An all-zero map has no contour and gets one empty box.
    """
    height, width = grid.shape
    levels = (grid * 255).astype(np.uint8)
    _, strong = cv2.threshold(levels, int(threshold * levels.max()), 255, cv2.THRESH_BINARY)
    contours, _ = cv2.findContours(strong, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    boxes = []
    for contour in contours:
        x, y, w, h = cv2.boundingRect(contour)
        boxes.append((x, y, min(x + w, width - 1), min(y + h, height - 1)))
    return boxes or [(0, 0, 0, 0)]


def score_stack(refined: Tensor, size: Sequence[int]) -> Tensor:
    """Return (k + 1, H, W): background, then each class's normalised and resized map."""
    resized = []
    for grid in refined:
        grid = grid - grid.min()
        grid = grid / (grid.max() + 1e-7)
        resized.append(
            F.interpolate(grid[None, None], tuple(size), mode='bilinear', align_corners=False)[0]
        )
    if not resized:
        return refined.new_ones(1, *size)
    foreground = torch.cat(resized)
    background = 1 - foreground.max(dim=0, keepdim=True).values
    return torch.cat([background, foreground])


def to_class_ids(scores: Tensor, classes: Sequence[int]) -> Tensor:
    """Map the winning channel (k + 1, H, W) to 0 for background or class + 1."""
    ids = torch.tensor([0, *(index + 1 for index in classes)], device=scores.device)
    return ids[scores.argmax(dim=0)]


def pixel_adaptive_refinement(images: Tensor, scores: Tensor, iterations: int = 20) -> Tensor:
    """Average scores (B, k, S, S) over neighbours that look alike in images (B, 3, S, S)."""
    weights = pixel_affinity(images)
    for _ in range(iterations):
        scores = (neighbours(scores) * weights).sum(dim=2)
    return scores


def pixel_affinity(images: Tensor) -> Tensor:
    """Return aff, (B, 1, 48, S, S)."""
    around = neighbours(images)
    centre = images[:, :, None].repeat(1, 1, around.shape[2], 1, 1)
    contrast = (around - centre).abs() / (around.std(dim=2, keepdim=True) + 1e-8) / 0.3
    colour = (-(contrast**2)).mean(dim=1, keepdim=True).softmax(dim=2)
    distance = neighbour_distances().to(images)
    spread = distance / (distance.std() + 1e-8) / 0.3
    position = (-(spread**2)).softmax(dim=0)
    return colour + 0.01 * position[None, None, :, None, None]


def neighbours(x: Tensor) -> Tensor:
    """Return copies of x (B, C, H, W) shifted to the 48 neighbours, (B, C, 48, H, W)."""
    batch, channels, height, width = x.shape
    kernels = neighbour_kernels().to(x)
    planes = x.reshape(batch * channels, 1, height, width)
    shifted = []
    for dilation in DILATIONS:
        padded = F.pad(planes, [dilation] * 4, mode='replicate')
        copies = F.conv2d(padded, kernels, dilation=dilation)
        shifted.append(copies.reshape(batch, channels, -1, height, width))
    return torch.cat(shifted, dim=2)


def neighbour_kernels() -> Tensor:
    """Eight one-hot 3 x 3 kernels, one for each cell around the centre, row by row."""
    kernels = torch.eye(9).reshape(9, 1, 3, 3)
    return kernels[[0, 1, 2, 3, 5, 6, 7, 8]]


def neighbour_distances() -> Tensor:
    """pos_k of section 7, (48,)."""
    diagonal = 2**0.5
    ring = torch.tensor([diagonal, 1, diagonal, 1, 1, diagonal, 1, diagonal])
    return torch.cat([dilation * ring for dilation in DILATIONS])
