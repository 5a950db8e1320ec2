"""Kernels against plain versions, by Triton's interpreter; ``test_kernels`` runs this file."""

from __future__ import annotations

import pytest
import torch

from mmseg_excel.densecrf.engines import lattice
from mmseg_excel.densecrf.engines.kernel import Kernel
from mmseg_excel.densecrf.engines.torch_engine import mean_field
from mmseg_excel.ops import attention as plain_attention
from mmseg_excel.ops import boxes as plain_boxes
from mmseg_excel.ops.kernels import attention, boxes, pixel_adaptive, row_sums
from mmseg_excel.ops.pixel_adaptive import PixelAdaptiveRefinement, padded_for
from mmseg_excel.ops.row_sums import plain_row_sums

from ..tolerance import assert_near

CHANNELS = [1, 8, 21, 81]
SIZES = [(1, 1), (1, 7), (5, 1), (9, 4)]


def spiral(side: int) -> torch.Tensor:
    """A path that winds to the centre, one cell wide, with one cell between its turns."""
    cells = torch.zeros(side, side, dtype=torch.bool)
    y, x, dy, dx = 0, 0, 0, 1
    cells[0, 0] = True
    for length in [side - 1, *(n for n in range(side - 1, 0, -2) for _ in range(2))]:
        for _ in range(length):
            y, x = y + dy, x + dx
            cells[y, x] = True
        dy, dx = dx, -dy
    return cells


@pytest.mark.parametrize('size', SIZES)
def test_boxes_of_random_maps(size):
    confident = torch.rand(1, *size) > 0.6
    assert torch.equal(boxes.boxes_around(confident), plain_boxes.boxes_around(confident))


def test_boxes_of_many_random_regions():
    """Regions of a hundred random maps, side by side with an empty row and column between."""
    picture = torch.zeros(1, 70, 70, dtype=torch.bool)
    for y in range(0, 70, 7):
        for x in range(0, 70, 7):
            picture[0, y : y + 6, x : x + 6] = torch.rand(6, 6) > torch.rand(())
    assert torch.equal(boxes.boxes_around(picture), plain_boxes.boxes_around(picture))


def test_boxes_of_spirals():
    confident = torch.stack([spiral(13), spiral(13).flip(0)])
    expected = plain_boxes.boxes_around(confident)
    assert torch.equal(boxes.boxes_around(confident), expected)
    assert expected[:, :-1, :-1].all()


@pytest.mark.parametrize(('size', 'channels'), [((13, 17), 3), ((1, 9), 1)])
def test_pixel_adaptive_refinement(size, channels):
    refine = PixelAdaptiveRefinement(dilations=(1, 3, 24))
    images = (255 * torch.rand(2, 3, *size)).to(torch.uint8) / 255
    images[0, 0] = 0.5  # no deviation at all
    scores = torch.rand(2, channels, *size)
    weights = refine.affinity(images)
    ours = pixel_adaptive.affinity(images, [1, 3, 24], refine.position, refine.colour_scale)
    assert_near(ours, weights)
    assert_near(
        pixel_adaptive.neighbour_sum(weights, scores, [1, 3, 24]),
        refine.neighbour_sum(weights, padded_for(refine.offsets, scores)),
    )


@pytest.mark.parametrize(
    ('tokens', 'width', 'dtype'),
    [(65, 20, torch.float32), (7, 32, torch.float16)],
)
def test_attention_summed_over_heads(tokens, width, dtype):
    side_by_side = 2 * torch.randn(2, tokens, 9 * width).to(dtype)
    heads = side_by_side.unflatten(-1, (9, width)).transpose(1, 2)
    q, k, _ = heads.chunk(3, dim=1)
    for a, b, parts in ((q, k, 1), (heads, heads, 3)):
        ours = attention.summed(a, b, attention.log_sums(a, b), 1 / parts)
        assert_near(ours, plain_attention.sum_heads(a.float(), b.float(), parts))


@pytest.mark.parametrize('channels', CHANNELS)
def test_sums_of_as_many_rows(channels):
    values, rows = torch.rand(50, channels), torch.randint(50, (70, 3))
    weights = torch.rand(70, 3)
    expected = plain_row_sums(values, rows, weights)
    torch.testing.assert_close(row_sums.row_sums(values, rows, weights, None), expected)


@pytest.mark.parametrize('channels', CHANNELS)
def test_sums_of_more_rows_and_fewer(channels):
    values, rows, weights = torch.rand(50, channels), torch.randint(50, (90,)), torch.rand(90)
    starts = torch.cat([torch.tensor([0, 0]), torch.randint(90, (60,)), torch.tensor([90, 90])])
    starts = starts.sort().values
    expected = plain_row_sums(values, rows, weights, starts)
    torch.testing.assert_close(row_sums.row_sums(values, rows, weights, starts), expected)


def test_densecrf(monkeypatch):
    images = torch.randint(0, 256, (2, 9, 13, 3), dtype=torch.uint8)
    given = images, 3 * torch.rand(2, 5, 9, 13), [Kernel(1, 3), Kernel(67, 4, 3)], 3
    expected = mean_field(*given)
    calls = []

    def by_kernel(values, rows, weights, starts=None):
        calls.append(len(rows))
        return row_sums.row_sums(values, rows, weights, starts)

    monkeypatch.setattr(lattice, 'row_sums', by_kernel)
    torch.testing.assert_close(mean_field(*given), expected)
    # Norms and three iterations, each of splat, slice and 3 or 6 blurs.
    assert len(calls) == 4 * (5 + 8)
