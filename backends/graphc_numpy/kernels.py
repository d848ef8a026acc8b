"""Kernels that no single function of NumPy provides. They write into `out` and allocate at most small blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from graphc.errors import Origins
from graphc.ops.along import along_axis
from graphc.ops.define import saturate
from graphc.ops.gather import require_range
from graphc.ops.random.keys import host_key
from graphc.ops.random.streams import FILL
from graphc.ops.scatter import in_order, is_last
from graphc.ops.slicing import numpy_slices
from graphc.ops.special import SINGLE_P, SINGLE_Q
from graphc.ops.structure import numerics_error, print_value

Array = np.ndarray

_BLOCK = 4096  # elements: the temporaries of a block stay in the second-level cache


def fallback(out: Array, function: Callable[..., Any] | str, attrs: Mapping[str, Any], *inputs: Array) -> None:
    """The op's own `array_fn`: for what NumPy cannot do in place. Allocates the result once more."""
    call = partial(getattr(np, function)) if isinstance(function, str) else partial(function, np)
    np.copyto(out, call(*inputs, **attrs))


def fallback_all(
    outs: Sequence[Array], function: Callable[..., Any] | str, attrs: Mapping[str, Any], *inputs: Array
) -> None:
    """The same for an op with several results."""
    call = partial(getattr(np, function)) if isinstance(function, str) else partial(function, np)
    for out, result in zip(outs, call(*inputs, **attrs), strict=True):
        np.copyto(out, result)


def pow_into(out: Array, x: Array, y: Array, function: Callable[..., Any]) -> None:
    """x to the power of y. For a repeated y = 0.5 NumPy would take a root: there the op's own formula."""
    repeated = y.ndim == 0 or y.size != out.size or 0 in y.strides
    if repeated and (y == 0.5).any():
        np.copyto(out, function(np, x, y))
    else:
        np.power(x, y, out)


def keep_where_into(out: Array, condition: Array, x: Array) -> None:
    """where(condition, x, 0): bits of x and a mask of ones or zeros. A masked assignment takes seven times as long."""
    mask = out.view(f"i{out.itemsize}")
    np.negative(condition.view(np.int8), mask)
    np.bitwise_and(mask, x.view(mask.dtype), mask)


def complex_into(out: Array, re: Array, im: Array) -> None:
    """Complex numbers of their parts."""
    np.copyto(out.real, re)
    np.copyto(out.imag, im)


def reshape_into(out: Array, x: Array) -> None:
    """The elements of a strided array in row-major order."""
    np.copyto(out.reshape(x.shape), x)


def pad_into(out: Array, x: Array, value: Array, pad_width: tuple[tuple[int, int], ...]) -> None:
    """x within a border."""
    np.copyto(out, value)
    inner = tuple(slice(before, before + size) for (before, _), size in zip(pad_width, x.shape, strict=True))
    np.copyto(out[inner], x)


def slice_update_into(out: Array, x: Array, part: Array, starts: Any, lengths: Any, steps: Any) -> None:
    """x with a slice replaced."""
    np.copyto(out, x)
    np.copyto(out[numpy_slices(starts, lengths, steps)], part)


def check_range(indices: Array, size: int, what: str, origins: Origins) -> None:
    """Holds indices to their axis.

    Raises:
        OutOfRangeError: one is outside of [-size, size).
    """
    require_range(int(indices.min()), int(indices.max()), size, what, origins)


def take_into(out: Array, x: Array, indices: Array, axis: int, origins: Origins) -> None:
    """Slices of x along an axis. `wrap` counts negative positions from the end and fills `out` unbuffered."""
    if out.size:
        check_range(indices, x.shape[axis], "take", origins)
        np.take(x, indices, axis, out, "wrap")


def take_along_into(out: Array, x: Array, indices: Array, axis: int, origins: Origins) -> None:
    """Elements of x, each at a position of its own along an axis."""
    if out.size:
        check_range(indices, x.shape[axis], "take_along_axis", origins)
        np.copyto(out, x[along_axis(np, indices, axis)])


def add_along_into(out: Array, x: Array, indices: Array, values: Array, axis: int, origins: Origins) -> None:
    """x with values added where `take_along_axis` reads."""
    np.copyto(out, x)
    if values.size:
        check_range(indices, x.shape[axis], "add_along_axis", origins)
        np.add.at(out, along_axis(np, indices, axis), values)


def take_last_into(out: Array, x: Array, indices: Array, axis: int, origins: Origins) -> None:
    """Slices of x along an axis, zeros for an index that a later one equals."""
    if out.size:
        check_range(indices, x.shape[axis], "take_last", origins)
        np.take(x, indices, axis, out, "wrap")
        last = is_last(np, indices, x.shape[axis])
        np.copyto(out, out.dtype.type(0), where=~last.reshape(last.shape + (1,) * (x.ndim - 1 - axis)))


def scatter_into(out: Array, x: Array, indices: Array, values: Array, axis: int, update: str, origins: Origins) -> None:
    """x with values in place of its elements at positions along an axis, or combined with them by a ufunc."""
    np.copyto(out, x)
    if not values.size:
        return
    check_range(indices, x.shape[axis], f"scatter_{update}", origins)
    before = (slice(None),) * axis
    if update == "set":
        row, parts = in_order(np, indices, values, axis)
        out[(*before, row)] = parts
    else:
        ufunc: Any = UPDATES[update]
        ufunc.at(out, (*before, indices), values)


UPDATES = {"multiply": np.multiply, "min": np.minimum, "max": np.maximum}


def positions_into(out: Array, indices: Array, size: int, used: int, axis: int, origins: Origins) -> None:
    """Indices into an axis as positions from 0 on."""
    if used:
        check_range(indices, size, f"axis {axis}", origins)
    np.copyto(out, indices, casting="unsafe")
    if indices.dtype.kind == "i" and out.min(initial=0) < 0:
        np.add(out, size, out, where=out < 0)


def checked_into(out: Array, indices: Array, size: int, used: int, origins: Origins) -> None:
    """Indices, if all of them are within an axis of that size, or nothing is there to be added."""
    if used:
        check_range(indices, size, "scatter_add", origins)
        np.copyto(out, indices)


def add_at_for(values: Array) -> Callable[..., object]:
    """What adds values at indices; if there are none, indices may be anything, and it does nothing. C code."""
    return np.add.at if values.size else chain


def check_into(out: Array, x: Array, message: str, origins: Origins) -> None:
    """x, if all of it is finite.

    Raises:
        NumericsError: it is not.
    """
    if not np.isfinite(x).all():
        raise numerics_error(x, message, origins)
    np.copyto(out, x)


def print_into(out: Array, x: Array, label: str) -> None:
    """Writes a value to standard output."""
    print_value(x, label)
    np.copyto(out, x)


def random_into(out: Array, key: Array, what: str) -> None:
    """Random words, uniforms or normals."""
    FILL[what](host_key(key), out)


def erf_into(out: Array, x: Array, function: Callable[..., Any]) -> None:
    """The error function by the op's own formula, block by block."""
    if x.ndim == 0 or not x.flags.c_contiguous:
        x = np.array(x, order="C", ndmin=1)
    source, target = x.reshape(-1), out.reshape(-1)
    block = _erf_single if x.dtype == np.float32 else partial(_erf_block, function)
    scratch = np.empty((4, min(_BLOCK, source.size)))
    for start in range(0, source.size, _BLOCK):
        part = source[start : start + _BLOCK]
        block(target[start : start + _BLOCK], part, scratch[:, : part.size])


def in_blocks_into(out: Array, x: Array, function: Callable[..., Any]) -> None:
    """A special function by the op's own formula, block by block, so that its temporaries stay in the cache."""
    if x.ndim == 0 or not x.flags.c_contiguous:
        x = np.array(x, order="C", ndmin=1)
    source, target = x.reshape(-1), out.reshape(-1)
    for start in range(0, source.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        target[part] = function(np, source[part])


def saturate_into(out: Array, x: Array) -> None:
    """Floats as integers, towards zero; the nearest limit for what is out of range, and 0 for NaN."""
    np.copyto(out, x, "unsafe")
    saturate(out, x)


def _erf_block(function: Callable[..., Any], out: Array, x: Array, scratch: Array) -> None:
    out[...] = function(np, x)


def _erf_single(out: Array, x: Array, scratch: Array) -> None:
    """What `special` computes for float32, operation by operation, in memory that is there."""
    wide, square, numerator, denominator = scratch
    np.copyto(wide, x)
    np.maximum(wide, -4.0, out=wide)
    np.minimum(wide, 4.0, out=wide)
    np.multiply(wide, wide, square)
    for target, (*rest, last) in ((numerator, SINGLE_P), (denominator, SINGLE_Q)):
        target.fill(last)
        for coefficient in reversed(rest):
            np.multiply(target, square, target)
            np.add(target, coefficient, target)
    np.divide(numerator, denominator, numerator)
    np.multiply(wide, numerator, out, casting="same_kind")
