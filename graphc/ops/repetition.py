"""Functions that repeat elements: copies side by side, and each one several times."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import ArgumentError, ShapeError
from graphc.ir import dims
from graphc.ir.dims import Shape
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor
from graphc.ops.define import TensorLike, as_shape, as_tensor, index_operand, normalise_axis
from graphc.ops.gather import take
from graphc.ops.layout import broadcast_to, expand_dims, reshape


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
def repeat(x: TensorLike, repeats: Any, /, *, axis: int | None = None) -> Tensor:
    """Every element several times, one after the other, along an axis.

    The numbers are static, as the size of the result follows from them.

    Args:
        x: any tensor.
        repeats: an int (or a size) for all elements; or an int for each, in a list, an array or a constant.
        axis: an int, or `None` to flatten x first.

    Raises:
        ArgumentError: the numbers are negative, or known only when the graph runs.
        ShapeError: there are not as many as elements along the axis.
    """
    node = as_tensor(x)
    if axis is None:
        node, axis = reshape(node, (node.size,)), 0
    axis = normalise_axis(axis, node.ndim)
    if isinstance(repeats, (dims.Poly, int, np.integer)):
        return _each(node, repeats, axis)
    counts = _static_counts(repeats)
    if counts.size == 1:
        return _each(node, int(counts.reshape(())), axis)
    reason, fix = f"repeat: the numbers do not fit axis {axis}", "give a number per element; 0 leaves an element out"
    if counts.ndim != 1:
        raise ShapeError(reason, expected="one int, or a vector of them", got=f"the shape {counts.shape}", fix=fix)
    positions = as_tensor(np.repeat(np.arange(len(counts)), counts))
    expected = "as many as elements: {right}, not {left}"
    dims.require_equal(len(counts), node.shape[axis], reason, expected=expected, fix=fix)
    return take(node, positions, axis=axis)


def _each(x: Tensor, times: Any, axis: int) -> Tensor:
    """All elements equally often: no gather is needed."""
    (count,) = as_shape(times)
    before, size, behind = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    copied = broadcast_to(expand_dims(x, axis + 1), (*before, size, count, *behind))
    return reshape(copied, (*before, size * count, *behind))


def _static_counts(repeats: Any) -> np.ndarray:
    """How often each element is repeated."""
    node = index_operand(repeats, "repeat")
    if node.op.name != "constant":
        raise ArgumentError(
            "repeat: the size of the result would depend on values that are known only when the graph runs",
            expected="ints, or a constant that holds them",
            got=repr(node),
            fix="know the numbers when you build; or gather with gc.take(x, positions, axis=…): its size is theirs",
        )
    counts: np.ndarray = node.attrs["value"]
    if counts.size and counts.min() < 0:
        raise ArgumentError(
            "repeat: a number of repetitions cannot be negative",
            expected="ints >= 0",
            got=repr(counts.tolist()),
            fix="0 leaves an element out",
        )
    return counts.astype(np.int64)
