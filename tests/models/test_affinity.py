import numpy as np
import pytest
import torch
import torch.nn.functional as F

from benchmarks.literal import pseudo_labels as literal
from mmseg_excel.models.affinity import refine_maps, transition_matrix
from mmseg_excel.models.pseudo_label import PseudoLabeler
from mmseg_excel.models.tags import pack_tags
from mmseg_excel.ops.boxes import confident_boxes
from tests.tolerance import assert_near, assert_same_labels

THRESHOLDS = (0.0, 0.5, 0.79, 0.88, 1.0)


def random_maps(shape, seed, device):
    """Blobs and noise in 0..1, with cells of exactly 0 and 1."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, shape[0], 4, 4, generator=generator)
    blobs = F.interpolate(coarse, shape[1:], mode='bicubic', align_corners=False)[0]
    maps = blobs + 0.2 * torch.rand(shape, generator=generator)
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    return ((maps - low) / (high - low)).to(device)


def random_attention(device, layers, batch, patches, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(layers, batch, patches, patches, generator=generator)
    scale = 1 + 3 * torch.rand(layers, batch, 1, 1, generator=generator)
    return (logits.softmax(dim=-1) * scale).to(device)


def random_affinity(device, batch, patches, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, patches, patches, generator=generator).sigmoid().to(device)


def literal_mask(grid, threshold):
    mask = np.zeros(grid.shape, dtype=bool)
    for x0, y0, x1, y1 in literal.bounding_boxes(grid.cpu().numpy(), threshold):
        mask[y0:y1, x0:x1] = True
    return torch.from_numpy(mask)


@pytest.mark.parametrize('side', range(3, 31, 3))
@pytest.mark.parametrize('threshold', THRESHOLDS)
def test_boxes_are_those_of_the_contours(side, threshold, device):
    maps = random_maps((6, side, side), seed=side, device=device)
    expected = torch.stack([literal_mask(grid, threshold) for grid in maps])
    assert torch.equal(confident_boxes(maps, threshold).cpu(), expected)


@pytest.mark.parametrize('shape', [(1, 1), (1, 9), (7, 1), (2, 2), (5, 12), (24, 9)])
def test_boxes_on_grids_that_are_not_square(shape, device):
    maps = torch.rand(5, *shape, generator=torch.Generator().manual_seed(1)).to(device)
    expected = torch.stack([literal_mask(grid, 0.7) for grid in maps])
    assert torch.equal(confident_boxes(maps, 0.7).cpu(), expected)


def test_boxes_of_rings_islands_and_diagonals(device):
    ring = torch.zeros(9, 9)
    ring[1:6, 1:6] = 1
    ring[2:5, 2:5] = 0
    ring[3, 3] = 1  # an island in the hole
    ring[6, 6] = 1  # touches the ring by a corner
    ring[8, 8] = 1  # only in the last row and column, which no box holds
    maps = torch.stack([ring, ring.flip(0), torch.zeros(9, 9), torch.ones(9, 9)]).to(device)
    expected = torch.stack([literal_mask(grid, 0.79) for grid in maps])
    boxes = confident_boxes(maps, 0.79).cpu()
    assert torch.equal(boxes, expected)
    assert boxes[0, 1:7, 1:7].all() and not boxes[0, 7:].any()
    assert not boxes[2].any()


@pytest.mark.parametrize('dynamic', [False, True])
@pytest.mark.parametrize('patches', [1, 9, 35, 144])
def test_transition_matrices(dynamic, patches, device):
    attention = random_attention(device, 6, 3, patches)
    affinity = random_affinity(device, 3, patches) if dynamic else None
    ours = transition_matrix(attention, affinity)
    for image in range(3):
        predicted = affinity[image] if dynamic else None
        weights = literal.affinity(attention[:, image], predicted)
        assert_near(ours[image], literal.transition_matrix(weights))


def test_only_layers_that_agree_with_the_prediction_count(device):
    attention = random_attention(device, 6, 2, 16)
    attention[2:] *= 1e-3  # four layers far below the average
    affinity = random_affinity(device, 2, 16)
    kept = transition_matrix(attention[:2].mean(dim=0, keepdim=True), affinity)
    assert_near(transition_matrix(attention, affinity), kept)


@pytest.mark.parametrize('side', [3, 8, 15])
def test_refined_maps(side, device):
    batch, classes = 3, 4
    maps = random_maps((batch * classes, side, side), seed=side, device=device).unflatten(
        0, (batch, classes)
    )
    maps[1, 2] = 0
    transition = transition_matrix(random_attention(device, 6, batch, side**2))
    ours = refine_maps(maps, transition, 0.79)
    for image in range(batch):
        flat = maps[image].flatten(1).T
        expected = literal.refine_maps(flat, transition[image], range(classes), 0.79)
        assert_near(ours[image], expected)
    assert not ours[1, 2].any()


@pytest.mark.parametrize('dynamic', [False, True])
@pytest.mark.parametrize(
    'tags',
    [
        pytest.param([[0] * 6, [0] * 6], id='no class'),
        pytest.param([[0, 0, 0, 0, 0, 1]], id='one class'),
        pytest.param([[1, 0, 0, 1, 0, 0], [0] * 6, [1] * 6], id='two, none and all'),
    ],
)
def test_pseudo_labels_of_a_batch(dynamic, tags, device):
    side, size = 5, 80
    tags = torch.tensor(tags, dtype=torch.float32)
    batch = len(tags)
    maps = random_maps((batch * 6, side, side), seed=batch, device=device).unflatten(0, (batch, 6))
    attention = random_attention(device, 6, batch, side**2)
    affinity = random_affinity(device, batch, side**2) if dynamic else None
    images = (255 * random_maps((batch * 3, size, size), seed=9, device=device)).to(
        torch.uint8
    ) / 255
    images = images.unflatten(0, (batch, 3))
    ours = PseudoLabeler()(maps, attention, pack_tags(tags.tolist(), device), images, affinity)
    with_class_token = F.pad(attention, (1, 0, 1, 0))
    expected = literal.pseudo_labels(
        maps.flatten(2).transpose(1, 2), list(with_class_token), tags, images, attn_pred=affinity
    )
    assert_same_labels(ours.labels, expected, ours.scores, dim=1)


def test_autocast_does_not_reach_pseudo_labels(device):
    maps = random_maps((4, 8, 8), seed=3, device=device).unflatten(0, (2, 2))
    attention, affinity = random_attention(device, 6, 2, 64), random_affinity(device, 2, 64)
    images = (255 * random_maps((6, 64, 64), seed=4, device=device)).to(torch.uint8).unflatten(
        0, (2, 3)
    ) / 255
    inputs = (maps, attention, pack_tags([[1, 1]] * 2, device), images, affinity)
    exact = PseudoLabeler()(*inputs)
    with torch.autocast(device.type, torch.bfloat16):
        under_autocast = PseudoLabeler()(*inputs)
    assert torch.equal(under_autocast.scores, exact.scores)
