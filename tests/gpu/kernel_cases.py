"""Kernels against plain versions, by Triton's interpreter; ``test_kernels`` runs this file."""

from __future__ import annotations

import pytest
import torch

from mmseg_excel.densecrf.engines import lattice
from mmseg_excel.densecrf.engines.kernel import Kernel
from mmseg_excel.densecrf.engines.torch_engine import mean_field
from mmseg_excel.ops import attention as plain_attention
from mmseg_excel.ops import boxes as plain_boxes
from mmseg_excel.ops import lattice_filter as plain
from mmseg_excel.ops.kernels import attention, boxes, lattice_filter, pixel_adaptive
from mmseg_excel.ops.pixel_adaptive import PixelAdaptiveRefinement, padded_for

from ..tolerance import assert_near

CHANNELS = [1, 21, 81]
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


@pytest.fixture
def nothing_is_zero():
    """Fresh memory holds NaN: whoever reads what nobody wrote has it in the answer."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def part_of(lattice: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The lattice with room to spare, which holds NaN, and its number of points."""
    roomy = torch.full_like(lattice, torch.nan)
    roomy[:count] = lattice[:count]
    return roomy, torch.tensor([count], dtype=torch.int32)


@pytest.mark.parametrize('channels', CHANNELS)
@pytest.mark.parametrize(('points', 'entries'), [(1, 90), (40, 55)])
def test_splat(channels, points, entries):
    values, weights = torch.rand(50, channels), torch.rand(entries)
    sources = torch.randint(50, (entries,), dtype=torch.int32)
    inner = torch.randint(1, entries + 1, (points - 1,)).sort().values
    starts = torch.cat([torch.zeros(1), inner, torch.tensor([entries, entries, entries])]).int()
    expected = plain.plain_splat(values, sources, weights, starts)[:points]
    _, count = part_of(expected, points)
    sums = lattice_filter.splat(values, sources, weights, starts, count)[:points]
    torch.testing.assert_close(sums, expected)


@pytest.mark.parametrize('channels', CHANNELS)
@pytest.mark.parametrize('points', [1, 70])
def test_blur(channels, points):
    values, count = part_of(torch.rand(points + 9, channels), points)
    neighbours = torch.randint(-1, points, (points + 9, 2), dtype=torch.int32)
    expected = plain.plain_blur(values[:points], neighbours[:points])
    blurred = lattice_filter.blur(values, neighbours, count)[:points]
    torch.testing.assert_close(blurred, expected)


@pytest.mark.parametrize('channels', CHANNELS)
@pytest.mark.parametrize('normalise', [False, True])
@pytest.mark.parametrize(('pixels', 'corners'), [(1, 3), (77, 6)])
def test_slice(channels, normalise, pixels, corners):
    values, logits = torch.rand(50, channels), 5 * torch.randn(pixels, channels)
    vertices = torch.randint(50, (pixels, corners), dtype=torch.int32)
    given = logits, values, vertices, torch.rand(pixels, corners), normalise
    torch.testing.assert_close(lattice_filter.add_slice(*given), plain.plain_add_slice(*given))


def test_more_lattice_points_than_programs(monkeypatch):
    monkeypatch.setattr(lattice_filter, 'MOST_PROGRAMS', 2)
    test_splat(21, 40, 55)
    test_blur(81, 70)


@pytest.mark.parametrize('size', [(3, 5), (1, 4)])
def test_densecrf(monkeypatch, nothing_is_zero, size):
    """As a device computes it: without knowing how many lattice points there are."""
    images = torch.randint(0, 256, (2, *size, 3), dtype=torch.uint8)
    given = images, 3 * torch.rand(2, 5, *size), [Kernel(1, 3), Kernel(67, 4, 3)], 2
    expected = mean_field(*given)
    monkeypatch.setattr(lattice, 'is_at_hand', lambda values: False)
    monkeypatch.setattr(plain, 'has_kernels', lambda values: True)
    for step in ('splat', 'blur', 'add_slice'):
        monkeypatch.setattr(plain, f'_{step}_by_kernel', getattr(lattice_filter, step))
    refined = mean_field(*given)
    torch.testing.assert_close(refined, expected)
    assert torch.equal(mean_field(*given), refined)
