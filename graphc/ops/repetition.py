"""Functions that repeat elements: copies side by side, and each one several times."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import ArgumentError, ShapeError
from graphc.ir import dims
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtype import int64
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor
from graphc.ops.comparison import maximum
from graphc.ops.cumulative import cumulative_sum
from graphc.ops.define import TensorLike, as_shape, as_tensor, convert, index_operand, normalise_axis
from graphc.ops.gather import take
from graphc.ops.layout import broadcast_to, concat, expand_dims, reshape
from graphc.ops.searching import required_size, searchsorted
from graphc.ops.sources import arange


@public
def tile(x: TensorLike, repetitions: Any, /) -> Tensor:
    """Copies of the whole tensor side by side, `repetitions` of them along each axis, counted from the last.

    Raises:
        ArgumentError: a number of copies is negative or no size.
    """
    node = as_tensor(x)
    times = as_shape(repetitions)
    rank = max(node.ndim, len(times))
    sizes: Shape = (1,) * (rank - node.ndim) + node.shape
    times = (1,) * (rank - len(times)) + times
    apart = tuple(size for axis in range(rank) for size in (1, sizes[axis]))
    copied = tuple(size for axis in range(rank) for size in (times[axis], sizes[axis]))
    joined = tuple(count * size for count, size in zip(times, sizes, strict=True))
    return reshape(broadcast_to(reshape(node, apart), copied), joined)


@public
def repeat(
    x: TensorLike,
    repeats: Any,
    /,
    *,
    axis: int | None = None,
    size: Dim | None = None,
    fill_value: TensorLike = 0,
) -> Tensor:
    """Every element several times, one after the other, along an axis.

    Args:
        x: any tensor.
        repeats: an int (or a size) for all elements; or an int for each, in a vector. Computed ones need `size`, and
            below 0 they count as 0.
        axis: an int, or `None` to flatten x first.
        size: how many elements the axis is to have: of more, the first are kept.
        fill_value: a scalar that stands where there are fewer.

    Raises:
        ArgumentError: a number is negative; or they are computed and there is no `size`.
        ShapeError: there are not as many as elements along the axis.
    """
    node = as_tensor(x)
    if axis is None:
        node, axis = reshape(node, (node.size,)), 0
    axis = normalise_axis(axis, node.ndim)
    if size is None and isinstance(repeats, (dims.Poly, int, np.integer)):
        return _each(node, repeats, axis)
    numbers = index_operand(repeats, "repeat")
    counts = numbers.attrs["value"] if numbers.op.name == "constant" else None
    if size is None and counts is not None:
        return _as_often_as(node, _not_negative(counts), axis)
    length = required_size("repeat", size, "numbers that are known when you build need none")
    return _up_to(node, numbers, axis, length, convert(fill_value, node.dtype))


def _each(x: Tensor, times: Any, axis: int) -> Tensor:
    """All elements equally often: no gather is needed."""
    (count,) = as_shape(times)
    before, size, behind = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    copied = broadcast_to(expand_dims(x, axis + 1), (*before, size, count, *behind))
    return reshape(copied, (*before, size * count, *behind))


def _as_often_as(x: Tensor, counts: np.ndarray, axis: int) -> Tensor:
    """Elements by numbers that are known."""
    if counts.size == 1:
        return _each(x, int(counts.reshape(())), axis)
    _require_vector(counts.shape, x.shape[axis], axis)
    return take(x, np.repeat(np.arange(len(counts)), counts), axis=axis)


def _up_to(x: Tensor, counts: Tensor, axis: int, length: Dim, fill: Tensor) -> Tensor:
    """So many elements: where the running sums of the counts have come so far; behind the last stands the filling."""
    if counts.size == 1:
        counts = broadcast_to(reshape(counts, (1,)), (x.shape[axis],))
    _require_vector(counts.shape, x.shape[axis], axis)
    ends = cumulative_sum(maximum(convert(counts, int64), 0))
    border = broadcast_to(fill, (*x.shape[:axis], 1, *x.shape[axis + 1 :]))
    return take(concat([x, border], axis=axis), searchsorted(ends, arange(length), side="right"), axis=axis)


def _require_vector(given: Shape, size: Dim, axis: int) -> None:
    """Holds the numbers of repetitions to one per element; the guard of a symbolic size goes to the next node."""
    reason, fix = f"repeat: the numbers do not fit axis {axis}", "give a number per element; 0 leaves an element out"
    if len(given) != 1 or (isinstance(given[0] - size, int) and given[0] != size):
        got = f"numbers of the shape {dims.shape_text(given)}"
        raise ShapeError(reason, expected=f"an int, or a vector of {size}", got=got, fix=fix)
    dims.require_equal(given[0], size, reason, expected="as many as elements: {right}, not {left}", fix=fix)


def _not_negative(counts: np.ndarray) -> np.ndarray:
    if counts.size and counts.min() < 0:
        raise ArgumentError(
            "repeat: a number of repetitions cannot be negative",
            expected="ints >= 0",
            got=repr(counts.tolist()),
            fix="0 leaves an element out",
        )
    return counts.astype(np.int64)
