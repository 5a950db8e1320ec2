"""Bounding boxes of the connected regions of many small maps."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

MOST_CELLS = 1024  # that are worked on at once
FEWEST_CELLS = 128  # the threads of a program: each has a cell of its own
LABELS, LEFT, RIGHT, BOTTOM, EDGES = (tl.constexpr(plane) for plane in range(5))
NOWHERE = tl.constexpr(1 << 30)


@triton.jit
def boxes_kernel(confident, planes, covered, height, width, ROW: tl.constexpr, BLOCK: tl.constexpr):
    """Mark the cells inside the boxes of one map's regions."""
    cells = height * width
    confident += tl.program_id(0) * cells
    covered += tl.program_id(0) * cells
    planes += tl.program_id(0) * 5 * cells

    for start in range(0, cells, BLOCK):
        cell = start + tl.arange(0, BLOCK)
        real = cell < cells
        here = tl.load(confident + cell, mask=real, other=0) != 0
        tl.store(planes + LABELS * cells + cell, tl.where(here, cell, NOWHERE), mask=real)
        tl.store(planes + LEFT * cells + cell, NOWHERE, mask=real)
        tl.store(planes + RIGHT * cells + cell, -1, mask=real)
        tl.store(planes + BOTTOM * cells + cell, -1, mask=real)
        tl.store(planes + EDGES * cells + cell, 0, mask=real)
    tl.debug_barrier()
    _name_regions(planes + LABELS * cells, height, width, BLOCK)
    _measure_regions(planes, cells, width, BLOCK)
    _draw_edges(planes, height, width, BLOCK)
    _fill_boxes(planes + EDGES * cells, covered, height, width, ROW)


@triton.jit
def _name_regions(labels, height, width, BLOCK: tl.constexpr):
    """Give every cell of a region the region's least index.

    A cell takes the least of its neighbours' labels, then the label of the cell that its label
    names, until nothing changes. Labels only fall and stay inside their region, so it does not
    matter which neighbours have been updated already, and the end is always reached.
    """
    cells = height * width
    changes = 1
    while changes > 0:
        changes = 0
        for start in range(0, cells, BLOCK):
            cell = start + tl.arange(0, BLOCK)
            own = tl.load(labels + cell, mask=cell < cells, other=NOWHERE)
            here = own < NOWHERE
            y, x = cell // width, cell % width
            least = own
            for dy in tl.static_range(-1, 2):
                rows = here & (y + dy >= 0) & (y + dy < height)
                for dx in tl.static_range(-1, 2):
                    inside = rows & (x + dx >= 0) & (x + dx < width)
                    near = tl.load(labels + cell + dy * width + dx, mask=inside, other=NOWHERE)
                    least = tl.minimum(least, near)
            least = tl.minimum(least, tl.load(labels + least, mask=here, other=NOWHERE))
            tl.store(labels + cell, least, mask=here)
            changes += tl.sum((here & (least < own)).to(tl.int32))
        tl.debug_barrier()


@triton.jit
def _measure_regions(planes, cells, width, BLOCK: tl.constexpr):
    """Find, at the cell with a region's least index, how far the region reaches."""
    for start in range(0, cells, BLOCK):
        cell = start + tl.arange(0, BLOCK)
        name = tl.load(planes + LABELS * cells + cell, mask=cell < cells, other=NOWHERE)
        here = name < NOWHERE
        tl.atomic_min(planes + LEFT * cells + name, cell % width, mask=here)
        tl.atomic_max(planes + RIGHT * cells + name, cell % width, mask=here)
        tl.atomic_max(planes + BOTTOM * cells + name, cell // width, mask=here)
    tl.debug_barrier()


@triton.jit
def _draw_edges(planes, height, width, BLOCK: tl.constexpr):
    """Note at which corners boxes begin and end, so that sums over rows and columns fill them.

    A box ends before the last row and column of the grid.
    """
    cells = height * width
    edges = planes + EDGES * cells
    for start in range(0, cells, BLOCK):
        cell = start + tl.arange(0, BLOCK)
        name = tl.load(planes + LABELS * cells + cell, mask=cell < cells, other=NOWHERE)
        first = name == cell
        top = (cell // width) * width
        left = tl.load(planes + LEFT * cells + cell, mask=first, other=0)
        right = tl.load(planes + RIGHT * cells + cell, mask=first, other=0)
        bottom = tl.load(planes + BOTTOM * cells + cell, mask=first, other=0)
        right = tl.minimum(right + 1, width - 1)
        bottom = tl.minimum(bottom + 1, height - 1) * width
        tl.atomic_add(edges + top + left, 1, mask=first)
        tl.atomic_add(edges + top + right, -1, mask=first)
        tl.atomic_add(edges + bottom + left, -1, mask=first)
        tl.atomic_add(edges + bottom + right, 1, mask=first)
    tl.debug_barrier()


@triton.jit
def _fill_boxes(edges, covered, height, width, ROW: tl.constexpr):
    x = tl.arange(0, ROW)
    above = tl.zeros([ROW], tl.int32)
    for y in range(0, height):
        above += tl.load(edges + y * width + x, mask=x < width, other=0)
        inside = tl.cumsum(above, axis=0) > 0
        tl.store(covered + y * width + x, inside.to(tl.uint8), mask=x < width)


def boxes_around(confident: Tensor) -> Tensor:
    """Launch it on (M, g_h, g_w), boolean: the same shape."""
    count, height, width = confident.shape
    planes = torch.empty(count, 5, height, width, dtype=torch.int32, device=confident.device)
    covered = torch.empty(confident.shape, dtype=torch.uint8, device=confident.device)
    given = confident.contiguous().view(torch.uint8)
    row, cells = triton.next_power_of_2(width), triton.next_power_of_2(height * width)
    block = min(max(cells, FEWEST_CELLS), MOST_CELLS)
    boxes_kernel[(count,)](given, planes, covered, height, width, row, block)
    return covered.view(torch.bool)
