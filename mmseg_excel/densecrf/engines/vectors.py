"""Eight numbers at once: fp32 vectors for code that numba compiles.

LLVM turns them into whatever vectors the processor has. Left to itself it would have to find out
that rows of a lattice do not overlap before it adds them eight by eight, and that costs more than
it gains on rows of a few dozen numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 8
ALIGNMENT = 4  # bytes: rows begin anywhere

FLOATS = ir.VectorType(ir.FloatType(), LANES)
INTEGERS = ir.VectorType(ir.IntType(32), LANES)
BYTE_POINTER = ir.IntType(8).as_pointer()
# exp(x) = 2^n exp(r), with r = x - n ln 2 and ln 2 in two parts: Cephes' polynomial for exp(r).
PER_LN2 = 1.44269504088896341
LN2 = (0.693359375, -2.12194440e-4)
POLYNOMIAL = (
    *(1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3),
    *(4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1),
)
LOWEST = -87.0  # below, exp(x) has no normal number in fp32, and is taken for 0


class VectorType(types.Type):
    """Numba's type of the vectors."""

    def __init__(self) -> None:
        super().__init__(name='Float32x8')


VECTOR = VectorType()


@register_model(VectorType)
class VectorModel(models.PrimitiveModel):
    """They are kept as LLVM's vectors."""

    def __init__(self, manager, kind) -> None:
        super().__init__(manager, kind, FLOATS)


@intrinsic
def load(_, array, index):
    """Eight numbers of a flat array, from an index on."""

    def generate(context, builder, signature, values):
        pointer = _address(context, builder, signature.args[0], *values)
        loaded = builder.load(builder.bitcast(pointer, FLOATS.as_pointer()))
        loaded.align = ALIGNMENT
        return loaded

    return VECTOR(array, types.intp), generate


@intrinsic
def store(_, array, index, vector):
    """Put a vector into a flat array, from an index on."""

    def generate(context, builder, signature, values):
        pointer = _address(context, builder, signature.args[0], *values[:2])
        stored = builder.store(values[2], builder.bitcast(pointer, FLOATS.as_pointer()))
        stored.align = ALIGNMENT
        return context.get_dummy_value()

    return types.void(array, types.intp, VECTOR), generate


@intrinsic
def prefetch(_, array, index):
    """Ask for the memory around an index, which is soon needed."""

    def generate(context, builder, signature, values):
        pointer = _address(context, builder, signature.args[0], *values)
        whole = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [BYTE_POINTER, whole, whole, whole])
        function = cgutils.get_or_insert_function(builder.module, kind, 'llvm.prefetch.p0')
        read, often, data = whole(0), whole(3), whole(1)
        builder.call(function, [builder.bitcast(pointer, BYTE_POINTER), read, often, data])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@intrinsic
def fill(_, number):
    """A number eight times."""

    def generate(context, builder, signature, values):
        nothing = ir.Constant(FLOATS, ir.Undefined)
        first = builder.insert_element(nothing, values[0], ir.IntType(32)(0))
        return builder.shuffle_vector(first, nothing, ir.Constant(INTEGERS, LANES * [0]))

    return VECTOR(types.float32), generate


@intrinsic
def exp(_, vector):
    """Powers of e of numbers that are not positive."""

    def generate(context, builder, signature, values):
        [x] = values
        power = _floor(builder, builder.fadd(builder.fmul(x, _constant(PER_LN2)), _constant(0.5)))
        rest = x
        for part in LN2:
            rest = builder.fsub(rest, builder.fmul(power, _constant(part)))
        result = builder.fmul(_polynomial(builder, rest), _power_of_two(builder, power))
        is_zero = builder.fcmp_ordered('<', x, _constant(LOWEST))
        return builder.select(is_zero, _constant(0.0), result)

    return VECTOR(VECTOR), generate


def _binary(build: Callable) -> Callable:
    """A function of two vectors."""

    @intrinsic
    def function(_, one, other):
        def generate(context, builder, signature, values):
            return build(builder, *values)

        return VECTOR(VECTOR, VECTOR), generate

    return function


def _across(build: Callable) -> Callable:
    """A function of a vector's eight numbers, half by half."""

    @intrinsic
    def function(_, vector):
        def generate(context, builder, signature, values):
            [vector] = values
            while vector.type.count > 1:
                vector = build(builder, *_halves(builder, vector))
            return builder.extract_element(vector, ir.IntType(32)(0))

        return types.float32(VECTOR), generate

    return function


def _larger(builder, one, other):
    return builder.select(builder.fcmp_ordered('>', one, other), one, other)


add = _binary(lambda builder, one, other: builder.fadd(one, other))
subtract = _binary(lambda builder, one, other: builder.fsub(one, other))
multiply = _binary(lambda builder, one, other: builder.fmul(one, other))
larger = _binary(_larger)
total = _across(lambda builder, one, other: builder.fadd(one, other))
largest = _across(_larger)


def _address(context, builder, kind, array, index):
    data = cgutils.create_struct_proxy(kind)(context, builder, array).data
    return builder.gep(data, [index])


def _constant(number: float) -> ir.Constant:
    return ir.Constant(FLOATS, LANES * [float(np.float32(number))])


def _floor(builder, vector):
    kind = ir.FunctionType(FLOATS, [FLOATS])
    name = f'llvm.floor.v{LANES}f32'
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [vector])


def _polynomial(builder, x):
    """1 + x + x^2 P(x)."""
    value = _constant(POLYNOMIAL[0])
    for coefficient in POLYNOMIAL[1:]:
        value = builder.fadd(builder.fmul(value, x), _constant(coefficient))
    value = builder.fmul(value, builder.fmul(x, x))
    return builder.fadd(builder.fadd(value, x), _constant(1.0))


def _power_of_two(builder, exponent):
    """Written as the exponent's bits."""
    whole = builder.fptosi(exponent, INTEGERS)
    biased = builder.add(whole, ir.Constant(INTEGERS, LANES * [127]))
    return builder.bitcast(builder.shl(biased, ir.Constant(INTEGERS, LANES * [23])), FLOATS)


def _halves(builder, vector):
    half = vector.type.count // 2
    kind = ir.VectorType(ir.IntType(32), half)
    nothing = ir.Constant(vector.type, ir.Undefined)
    for first in (0, half):
        yield builder.shuffle_vector(
            vector, nothing, ir.Constant(kind, list(range(first, first + half)))
        )
