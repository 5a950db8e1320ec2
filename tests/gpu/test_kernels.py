"""Triton's kernels compute what the plain versions do, and compile for GPUs that are not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmseg_excel.ops.operators import OLDEST_TRITON

triton = pytest.importorskip(
    'triton', minversion=OLDEST_TRITON, reason='without Triton there are no kernels'
)

ARCHITECTURES = {80: 'A100', 90: 'H100'}
SCALARS = dict(scale='fp32', share='fp32', colour_scale='fp32')
INTEGERS = dict.fromkeys(
    ('dilations', 'planes', 'sources', 'starts', 'count', 'neighbours', 'vertices'), '*i32'
)
BYTES = dict(confident='*u8', covered='*u8')
TYPES = SCALARS | INTEGERS | BYTES


def test_in_the_interpreter():
    """In a process of its own: Triton decides when it is imported."""
    cases = Path(__file__).with_name('kernel_cases.py')
    command = [sys.executable, '-m', 'pytest', str(cases)]
    env = os.environ | dict(TRITON_INTERPRET='1')
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def kernels() -> dict[str, tuple]:
    """Each kernel with its constants, the type of its tensors, and its options."""
    from mmseg_excel.ops.kernels import attention, boxes, pixel_adaptive

    tiles = dict(TILE=attention.TILE, FEATURES=attention.FEATURES)
    warps = dict(num_warps=attention.WARPS)
    block = dict(BLOCK=pixel_adaptive.PIXELS)
    many = block | dict(CHANNELS=8)
    cases = dict(
        boxes=(boxes.boxes_kernel, dict(ROW=32, BLOCK=boxes.MOST_CELLS), '*fp32', {}),
        affinity=(pixel_adaptive.affinity_kernel, block, '*fp32', {}),
        neighbour_sum=(pixel_adaptive.neighbour_sum_kernel, many, '*fp32', {}),
    )
    # What is 1 when a kernel is launched is a constant to its compiler.
    ones = dict(rings=1, channels=1)
    for name in ('affinity', 'neighbour_sum'):
        kernel, constants, *rest = cases[name]
        few = {size: 1 for size in ones if size in kernel.arg_names}
        cases[f'{name}, ones'] = (kernel, constants | few, *rest)
    for kind in ('fp32', 'fp16', 'bf16'):
        for kernel in (attention.log_sums_kernel, attention.summed_kernel):
            cases[f'{kernel.__name__} {kind}'] = (kernel, tiles, f'*{kind}', warps)
    return cases | lattice_kernels()


def lattice_kernels() -> dict[str, tuple]:
    from mmseg_excel.ops.kernels import lattice_filter

    cases = {}
    for classes in (1, 21, 81):
        tile = lattice_filter.tile_of(classes)
        constants = dict(
            splat=lattice_filter.tile_of(classes, lattice_filter.SOURCES)
            | dict(SOURCES=lattice_filter.SOURCES),
            blur=tile,
            add_slice=tile | dict(CORNERS=6, NORMALISE=True),
        )
        for name, own in constants.items():
            kernel = getattr(lattice_filter, f'{name}_kernel')
            cases[f'{name}, {classes}'] = (kernel, own, '*fp32', {})
    return cases


@pytest.mark.parametrize('architecture', ARCHITECTURES, ids=ARCHITECTURES.get)
@pytest.mark.parametrize('name', kernels())
def test_compiles_without_spilling(name, architecture, tmp_path):
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    kernel, constants, tensors, options = kernels()[name]
    signature = {argument: _type_of(argument, constants, tensors) for argument in kernel.arg_names}
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
    target = GPUTarget('cuda', architecture, 32)
    ptx = triton.compile(source, target=target, options=options).asm['ptx']
    assert '0 bytes spill stores, 0 bytes spill loads' in _assembled(ptx, architecture, tmp_path)


def _type_of(argument: str, constants: dict, tensors: str) -> str:
    if argument in constants:
        return 'constexpr'
    if argument in ('a', 'b'):
        return tensors
    floats = (
        *('sums', 'summed', 'images', 'position', 'weights', 'scores', 'values'),
        *('lattice', 'blurred', 'logits'),
    )
    return TYPES.get(argument, '*fp32' if argument in floats else 'i32')


def _assembled(ptx: str, architecture: int, folder: Path) -> str:
    """What the assembler says of registers."""
    from triton.backends.nvidia.compiler import get_ptxas

    (folder / 'kernel.ptx').write_text(ptx)
    target = next(line.split()[1].strip(',') for line in ptx.splitlines() if '.target' in line)
    command = [
        get_ptxas(architecture).path,
        f'-arch={target}',
        '-v',
        folder / 'kernel.ptx',
        '-o',
        folder / 'kernel.o',
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr
