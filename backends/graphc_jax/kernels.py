"""Ops for which no single function of `jax.lax` has graphc's semantics. The first argument is the module `jax`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir.opdef import OPS
from graphc.ops.along import along_axis
from graphc.ops.random.rejection import SAMPLERS, round_key

from . import convolution, linalg
from .elementary import ELEMENTARY
from .ordering import top_k

Value = Any
"""An array of JAX, or its stand-in while a function is traced."""


def spread(jax: Any, x: Value, shape: tuple[int, ...]) -> Value:
    """Broadcasting as NumPy has it: axes are counted from the last."""
    own = np.shape(x)
    return x if own == shape else jax.lax.broadcast_in_dim(x, shape, range(len(shape) - len(own), len(shape)))


def _like(x: Value, number: float) -> Any:
    return np.asarray(number, x.dtype)[()]


def _choose(jax: Any, condition: Value, x: Value, number: float) -> Value:
    """The number where the condition holds, else x."""
    return jax.lax.select(condition, jax.lax.full_like(x, number), x)


def array_function(jax: Any, op: str, *inputs: Value, **attrs: Any) -> Any:
    """What an op without a row of its own says that it computes, over JAX's functions in place of NumPy's."""
    function = OPS[op].array_fn
    assert function is not None
    if isinstance(function, str):
        return getattr(jax.numpy, function)(*inputs, **attrs)
    return function(jax.numpy, *inputs, **attrs)


# --- arithmetic ---------------------------------------------------------------------------------------------


def floor_divide(jax: Any, x: Value, y: Value) -> Value:
    """Rounded down. Integers: 0 for a divisor of 0. Floats: consistent with the remainder, as NumPy's."""
    lax = jax.lax
    if x.dtype.kind != "f":
        quotient = lax.div(x, _choose(jax, y == 0, y, 1))
        if x.dtype.kind == "i":
            quotient = quotient - _is_adjusted(jax, x, y).astype(x.dtype)
        return _choose(jax, y == 0, quotient, 0)
    rest = lax.rem(x, y)
    quotient = (x - rest) / y
    quotient = lax.select((rest != 0) & ((y < 0) != (rest < 0)), quotient - 1, quotient)
    floor = lax.floor(quotient)
    floor = lax.select(quotient - floor > 0.5, floor + 1, floor)
    plain = x / y
    signed_zero = _with_sign(jax, lax.full_like(x, 0), plain)
    return lax.select(y == 0, plain, lax.select(quotient != 0, floor, signed_zero))


def _is_adjusted(jax: Any, x: Value, y: Value) -> Value:
    """Where an integer division towards zero is one above the one downwards."""
    rest = jax.lax.rem(x, _choose(jax, y == 0, y, 1))
    return (rest != 0) & ((rest < 0) != (y < 0))


def _with_sign(jax: Any, x: Value, like: Value) -> Value:
    """x ≥ 0 with the sign of another float; XLA has no copysign."""
    negative = (like < 0) | ((like == 0) & (1 / like < 0))
    return jax.lax.select(negative, -x, x)


def remainder(jax: Any, x: Value, y: Value) -> Value:
    """With the sign of the divisor; 0 for integers and a divisor of 0."""
    lax = jax.lax
    if x.dtype.kind != "f":
        rest = lax.rem(x, _choose(jax, y == 0, y, 1))
        if x.dtype.kind == "i":
            rest = lax.select(_is_adjusted(jax, x, y), rest + y, rest)
        return _choose(jax, y == 0, rest, 0)
    rest = lax.rem(x, y)
    moved = lax.select((y < 0) != (rest < 0), rest + y, rest)
    zero = _with_sign(jax, lax.full_like(x, 0), y)
    return lax.select(rest == 0, zero, lax.select(rest != rest, rest, moved))


def plus_zero(jax: Any, x: Value) -> Value:
    """x + 0, which is +0 for −0."""
    return _choose(jax, x == 0, x, 0)


def absolute(jax: Any, x: Value) -> Value:
    """|x|; unsigned integers are what they are. That of a complex number is infinite if a part is, be the other NaN."""
    if x.dtype.kind != "c":
        return x if x.dtype.kind == "u" else jax.lax.abs(x)
    return _choose(jax, is_infinite(jax, x), jax.lax.abs(x), math.inf)


def square_root(jax: Any, x: Value) -> Value:
    """That of a complex number with the sign of its imaginary part, which XLA loses of −0."""
    root = jax.lax.sqrt(x)
    if x.dtype.kind != "c":
        return root
    return jax.lax.complex(root.real, _with_sign(jax, jax.lax.abs(root.imag), x.imag))


def narrowed(jax: Any, x: Value, dtype: str) -> Value:
    """A signed integer in fewer bits, modulo 2ᵇⁱᵗˢ.

    By way of unsigned ones: jaxlib 0.10 crashes while it compiles `and` or `or` of an absolute value that is narrowed.
    """
    return jax.lax.bitcast_convert_type(jax.lax.convert_element_type(x, "u" + dtype), dtype)


def is_finite(jax: Any, x: Value) -> Value:
    """Of complex numbers both parts."""
    if x.dtype.kind == "c":
        return jax.lax.is_finite(x.real) & jax.lax.is_finite(x.imag)
    return jax.lax.is_finite(x)


def is_infinite(jax: Any, x: Value) -> Value:
    """Of complex numbers one part is enough."""
    if x.dtype.kind == "c":
        return is_infinite(jax, x.real) | is_infinite(jax, x.imag)
    return jax.lax.abs(x) == math.inf


def sign(jax: Any, x: Value) -> Value:
    """+0 for both zeros, where XLA keeps the sign."""
    return _choose(jax, x == 0, jax.lax.sign(x), 0)


def trunc(jax: Any, x: Value) -> Value:
    """Rounded towards zero."""
    return jax.lax.select(x < 0, jax.lax.ceil(x), jax.lax.floor(x))


def round_half_even(jax: Any, x: Value) -> Value:
    """Rounded to the nearest integer."""
    return jax.lax.round(x, jax.lax.RoundingMethod.TO_NEAREST_EVEN)


def power(jax: Any, x: Value, y: Value) -> Value:
    """Integers wrap around; their negative powers are truncated towards zero."""
    lax = jax.lax
    if x.dtype.kind in "fc":
        return lax.pow(x, y)
    zero, one = _like(x, 0), _like(x, 1)

    def square_and_multiply(_: Value, carry: Any) -> Any:
        result, base, rest = carry
        result = lax.select((rest & one) == one, result * base, result)
        return result, base * base, lax.shift_right_logical(rest, lax.full_like(rest, 1))

    start = (lax.full_like(x, 1), x, _choose(jax, y < zero, y, 0))
    result = lax.fori_loop(0, x.dtype.itemsize * 8, square_and_multiply, start)[0]
    if x.dtype.kind == "u":
        return result
    odd = (y & one) == one
    of_minus_one = lax.select(odd, lax.full_like(x, -1), lax.full_like(x, 1))
    inverse = lax.select(x == one, lax.full_like(x, 1), lax.full_like(x, 0))
    inverse = lax.select(x == -one, of_minus_one, inverse)
    return lax.select(y < zero, inverse, result)


# --- reductions ---------------------------------------------------------------------------------------------


def total(jax: Any, x: Value, axes: tuple[int, ...]) -> Value:
    """A sum that starts at +0. XLA takes a sum of one term for the term itself, which may be −0."""
    result = jax.lax.reduce_sum(x, axes)
    one = x.dtype.kind == "f" and math.prod(x.shape[axis] for axis in axes) == 1
    return plus_zero(jax, result) if one else result


# --- products -----------------------------------------------------------------------------------------------


def matmul(jax: Any, x: Value, y: Value, precision: str) -> Value:
    """Products of matrices, or of stacks of them."""
    return jax.numpy.matmul(x, y, precision=precision)


# --- indexing -----------------------------------------------------------------------------------------------


def take_slice(jax: Any, x: Value, starts: Sequence[int], lengths: Sequence[int], steps: Sequence[int]) -> Value:
    """Elements at distances that may be negative."""
    cut = [_cut(*axis) for axis in zip(starts, lengths, steps, strict=True)]
    part = jax.lax.slice(x, [low for low, _ in cut], [high for _, high in cut], [abs(step) for step in steps])
    backwards = [axis for axis, step in enumerate(steps) if step < 0]
    return jax.lax.rev(part, backwards) if backwards else part


def _cut(start: int, length: int, step: int) -> tuple[int, int]:
    """The first position of a slice, and the one after its last."""
    if length == 0:
        return 0, 0
    last = start + (length - 1) * step
    return min(start, last), max(start, last) + 1


def slice_update(
    jax: Any, x: Value, part: Value, starts: Sequence[int], lengths: Sequence[int], steps: Sequence[int]
) -> Value:
    """x with a slice replaced."""
    lax = jax.lax
    if 0 in lengths:
        return x
    cut = [_cut(*axis) for axis in zip(starts, lengths, steps, strict=True)]
    if all(abs(step) == 1 or length == 1 for step, length in zip(steps, lengths, strict=True)):
        return lax.dynamic_update_slice(x, _forwards(jax, part, steps), [low for low, _ in cut])
    gaps = [abs(step) - 1 for step in steps]
    border = [(low, n - high, gap) for (low, high), n, gap in zip(cut, x.shape, gaps, strict=True)]
    inside = lax.pad(lax.full(part.shape, True), False, border)
    return lax.select(inside, lax.pad(_forwards(jax, part, steps), _like(x, 0), border), x)


def _forwards(jax: Any, part: Value, steps: Sequence[int]) -> Value:
    backwards = [axis for axis, step in enumerate(steps) if step < 0]
    return jax.lax.rev(part, backwards) if backwards else part


def take(jax: Any, x: Value, indices: Value, axis: int) -> tuple[Value, Value, Value]:
    """Slices of x along an axis, the least and largest index, and whether both are in range."""
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    seen, ok = _range(jax, indices, x.shape[axis], shape)
    if x.shape[axis] == 0 or 0 in shape:
        return jax.lax.full(shape, 0, x.dtype), seen, ok
    return jax.numpy.take(x, _positions(jax, indices, x.shape[axis]), axis=axis, mode="clip"), seen, ok


def scatter_add(jax: Any, x: Value, indices: Value, values: Value, axis: int) -> tuple[Value, Value, Value]:
    """x with values added along an axis, the least and largest index, and whether both are in range."""
    seen, ok = _range(jax, indices, x.shape[axis], values.shape)
    if x.shape[axis] == 0 or 0 in values.shape:
        return x, seen, ok
    where = (slice(None),) * axis + (_positions(jax, indices, x.shape[axis]),)
    return x.at[where].add(values, mode="drop"), seen, ok


def scatter_range(jax: Any, x: Value, indices: Value, values: Value, axis: int) -> tuple[Value, Value]:
    """The least and largest index of `scatter_add`, and whether both are in range."""
    return _range(jax, indices, x.shape[axis], values.shape)


def scatter_add_if(jax: Any, ok: Value, x: Value, indices: Value, values: Value, axis: int) -> Value:
    """x with values added along an axis; x itself if a check has failed, by indices that are out of range."""
    size = x.shape[axis]
    if size == 0 or 0 in values.shape:
        return jax.numpy.copy(x)
    positions = _positions(jax, indices, size)
    positions = jax.numpy.where(ok[0], positions, _like(positions, size))
    return x.at[(slice(None),) * axis + (positions,)].add(values, mode="drop")


def take_along_axis(jax: Any, x: Value, indices: Value, axis: int) -> tuple[Value, Value, Value]:
    """Elements of x, each at a position of its own along an axis; the account as of `take`."""
    seen, ok = _range(jax, indices, x.shape[axis], indices.shape)
    if x.shape[axis] == 0 or 0 in indices.shape:
        return jax.lax.full(indices.shape, 0, x.dtype), seen, ok
    positions = _positions(jax, indices, x.shape[axis])
    return jax.numpy.take_along_axis(x, positions, axis=axis, mode="clip"), seen, ok


def add_along_axis(jax: Any, x: Value, indices: Value, values: Value, axis: int) -> tuple[Value, Value, Value]:
    """x with values added where `take_along_axis` reads; the account as of `take`."""
    seen, ok = _range(jax, indices, x.shape[axis], values.shape)
    if x.shape[axis] == 0 or 0 in values.shape:
        return x, seen, ok
    places = along_axis(jax.numpy, _positions(jax, indices, x.shape[axis]), axis)
    return x.at[places].add(values, mode="drop"), seen, ok


def take_last(jax: Any, x: Value, indices: Value, axis: int) -> tuple[Value, Value, Value]:
    """What `take` gives, but 0 for an index that a later one equals."""
    taken, seen, ok = take(jax, x, indices, axis)
    if x.shape[axis] == 0 or 0 in taken.shape:
        return taken, seen, ok
    last = _is_last(jax, _positions(jax, indices, x.shape[axis]), x.shape[axis])
    last = jax.lax.broadcast_in_dim(last, taken.shape, range(axis, axis + indices.ndim))
    return jax.lax.select(last, taken, jax.lax.full_like(taken, 0)), seen, ok


def scatter(jax: Any, x: Value, indices: Value, values: Value, axis: int, update: str) -> tuple[Value, Value, Value]:
    """x with values in place of its elements along an axis, or combined with them; the account as of `take`.

    XLA promises no order for what is set: so only the last of equal indices stays within the axis.
    """
    seen, ok = _range(jax, indices, x.shape[axis], values.shape)
    if x.shape[axis] == 0 or 0 in values.shape:
        return x, seen, ok
    positions = _positions(jax, indices, x.shape[axis])
    if update == "set":
        last = _is_last(jax, positions, x.shape[axis])
        positions = jax.lax.select(last, positions, jax.lax.full_like(positions, x.shape[axis]))
    part = x.at[(slice(None),) * axis + (positions,)]
    return getattr(part, update)(values, mode="drop"), seen, ok


def _is_last(jax: Any, positions: Value, size: int) -> Value:
    """Which of the positions no later one equals."""
    numbers = jax.numpy.arange(positions.size, dtype=np.int64).reshape(positions.shape)
    writer = jax.numpy.zeros(size, np.int64).at[positions].max(numbers, mode="drop")
    return jax.numpy.take(writer, positions, mode="clip") == numbers


def positions(jax: Any, indices: Value, size: int, used: int) -> tuple[Value, Value, Value]:
    """Indices into an axis as positions from 0 on; the account as of `take`."""
    seen, ok = _range(jax, indices, size, (used,))
    wide = jax.lax.convert_element_type(indices, np.int64)
    return jax.lax.select(wide < 0, wide + _like(wide, size), wide), seen, ok


def _range(jax: Any, indices: Value, size: int, moved: tuple[int, ...]) -> tuple[Value, Value]:
    """The least and the largest index, and whether they are in [-size, size), or nothing is moved by them."""
    if 0 in moved:
        return jax.lax.full((2,), 0, indices.dtype), jax.lax.full((), True)
    axes = tuple(range(indices.ndim))
    low, high = jax.lax.reduce_min(indices, axes), jax.lax.reduce_max(indices, axes)
    seen = jax.numpy.stack([low, high])
    limits = np.iinfo(indices.dtype)  # its dtype may hold no such size, and then no such index
    fits_low = True if -size <= limits.min else low >= _like(low, -size)
    fits_high = True if size > limits.max else high < _like(high, size)
    return seen, jax.lax.full((), True) & fits_low & fits_high


def _positions(jax: Any, indices: Value, size: int) -> Value:
    """Positions from 0 on, in 32 bits where that is enough."""
    wide = np.int32 if size < 2**31 else np.int64
    positions = jax.lax.convert_element_type(indices, wide)
    return jax.lax.select(positions < 0, positions + _like(positions, size), positions)


# --- random numbers -----------------------------------------------------------------------------------------


def until_accepted(jax: Any, op: str, key: Value, parameter: Value, **attrs: Any) -> Value:
    """The values of a rejection sampler: rounds for all elements, until each has accepted a proposal."""
    sampler, xp = SAMPLERS[op], jax.numpy
    positions = xp.arange(math.prod(parameter.shape), dtype=np.uint64).reshape(parameter.shape)

    def is_open(carry: Any) -> Value:
        number, done, _ = carry
        return (number < sampler.rounds) & ~done.all()

    def one_round(carry: Any) -> Any:
        number, done, values = carry
        found, accepted = sampler.propose(xp, round_key(xp, key, number), positions, parameter, repeat, **attrs)
        return number + 1, done | accepted, xp.where(done, values, found)

    def repeat(start: int, stop: int, step: Any, carry: Any) -> Any:
        return jax.lax.fori_loop(xp.int64(start), xp.int64(stop), step, carry)

    start = (xp.int64(0), xp.zeros(parameter.shape, bool), xp.zeros(parameter.shape, sampler.dtype))
    return jax.lax.while_loop(is_open, one_round, start)[2]


# --- checks -------------------------------------------------------------------------------------------------


def check_numerics(jax: Any, x: Value) -> tuple[Value, Value, Value]:
    """x, how many NaNs and infinities it holds, and whether there are none."""
    nans, infinities = x != x, is_infinite(jax, x)
    axes = tuple(range(x.ndim))
    counts = [jax.lax.reduce_sum(found.astype(np.int64), axes) for found in (nans, infinities)]
    return x, jax.numpy.stack(counts), jax.lax.reduce_and(is_finite(jax, x), axes)


def all_of(jax: Any, *checks: Value) -> Value:
    """Whether all checks passed, as an array of one element that C code can read."""
    return jax.numpy.stack(checks).all().reshape(1)


def keep_if(jax: Any, ok: Value, new: Value, old: Value) -> Value:
    """The new value of a variable, or the old one."""
    return jax.lax.select(ok[0], new, old)


KERNELS = linalg.KERNELS | convolution.KERNELS | {
    function.__name__: function
    for function in (
        absolute, add_along_axis, all_of, array_function, check_numerics, floor_divide, is_finite, is_infinite, keep_if,
        matmul, narrowed, plus_zero, positions, power, remainder, round_half_even, scatter, scatter_add, scatter_add_if,
        scatter_range, sign, slice_update, spread, square_root, take, take_along_axis, take_last, take_slice, top_k,
        total, trunc, until_accepted,
        *ELEMENTARY,
    )
}  # fmt: skip
"""What emitted code can name, each without its first argument."""
