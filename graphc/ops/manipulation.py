"""Functions that move elements about, written in terms of slices, joins and other orders of axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import NO_ORIGINS, ArgumentError, ShapeError
from graphc.ir import dims
from graphc.ir.dims import Dim, Shape
from graphc.ir.opdef import public
from graphc.ir.tensor import Tensor, apply
from graphc.ops.arithmetic import subtract
from graphc.ops.define import (
    Axes,
    TensorLike,
    as_shape,
    as_tensor,
    convert,
    normalise_axes,
    normalise_axis,
)
from graphc.ops.layout import broadcast_to, concat, permute_dims, reshape
from graphc.ops.precision import rounded_once
from graphc.ops.slicing import SLICE

_INTS = (int, np.integer)


def _several(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _part(x: Tensor, axis: int, start: Dim, length: Dim) -> Tensor:
    """`length` elements along one axis, all of which are there: no bound needs to be clamped."""
    starts: list[Dim] = [0] * x.ndim
    lengths = list(x.shape)
    starts[axis], lengths[axis] = start, length
    return apply(SLICE, (x,), starts=tuple(starts), lengths=tuple(lengths), steps=(1,) * x.ndim)


# --- broadcasting -----------------------------------------------------------------------------------------


@public
def broadcast_shapes(*shapes: Any) -> Shape:
    """The shape to which several shapes broadcast, as a tuple.

    Raises:
        ShapeError: they do not broadcast.
    """
    given = [as_shape(shape) for shape in shapes]
    try:
        return dims.broadcast(given) if given else ()
    except ShapeError as error:
        error.got = ", ".join(map(dims.shape_text, given))
        raise
    finally:
        dims.take_guards(NO_ORIGINS)  # a tensor that is broadcast to the shape gets them anew


@public
def broadcast_arrays(*arrays: TensorLike) -> tuple[Tensor, ...]:
    """Tensors repeated to the shape to which they broadcast together; each keeps its dtype.

    Raises:
        ShapeError: they do not broadcast.
    """
    nodes = [as_tensor(array) for array in arrays]
    shape = broadcast_shapes(*(node.shape for node in nodes))
    return tuple(broadcast_to(node, shape) for node in nodes)


# --- order ------------------------------------------------------------------------------------------------


@public
def flip(x: TensorLike, /, *, axis: Axes = None) -> Tensor:
    """The elements in reverse order along axes.

    Args:
        x: any tensor.
        axis: an int, several, or `None` for all.
    """
    node = as_tensor(x)
    axes = normalise_axes(axis, node.ndim)
    backwards, whole = slice(None, None, -1), slice(None)
    return node[tuple(backwards if a in axes else whole for a in range(node.ndim))]


@public
def moveaxis(x: TensorLike, source: int | Sequence[int], destination: int | Sequence[int], /) -> Tensor:
    """Axes moved to other positions; the others keep their order.

    Raises:
        ArgumentError: there are not as many positions as axes.
        ShapeError: an axis or a position is out of range, or named twice.
    """
    node = as_tensor(x)
    moved, places = _several(source), _several(destination)
    if len(moved) != len(places):
        raise ArgumentError(
            "moveaxis: every axis needs a position",
            expected="as many positions as axes",
            got=f"{len(moved)} axes and {len(places)} positions",
            fix="gc.moveaxis(x, (0, 1), (-2, -1)) moves the first two to the end",
        )
    for named in (moved, places):
        normalise_axes(named, node.ndim)  # refuses what is named twice
    at = {normalise_axis(p, node.ndim): normalise_axis(a, node.ndim) for p, a in zip(places, moved, strict=True)}
    rest = iter([axis for axis in range(node.ndim) if axis not in at.values()])
    return permute_dims(node, [at[place] if place in at else next(rest) for place in range(node.ndim)])


@public
def swapaxes(x: TensorLike, axis1: int, axis2: int, /) -> Tensor:
    """Two axes exchanged."""
    node = as_tensor(x)
    first, second = normalise_axis(axis1, node.ndim), normalise_axis(axis2, node.ndim)
    order = list(range(node.ndim))
    order[first], order[second] = second, first
    return permute_dims(node, order)


@public
def roll(x: TensorLike, /, shift: int | Sequence[int], *, axis: Axes = None) -> Tensor:
    """The elements moved along axes; what leaves at one end enters at the other.

    Args:
        x: any tensor.
        shift: by how many positions, for each of the axes or one for all; negative ones move towards the start.
        axis: an int, several, or `None` for the flattened tensor, which gets its shape back.

    Raises:
        ArgumentError: a shift is no int, or there are not as many as axes.
    """
    node = as_tensor(x)
    if axis is None:
        return reshape(roll(reshape(node, (node.size,)), shift, axis=0), node.shape)
    axes = tuple(normalise_axis(a, node.ndim) for a in _several(axis))
    shifts = tuple(_as_shift(by) for by in _several(shift))
    shifts = shifts * len(axes) if len(shifts) == 1 else shifts
    if len(shifts) != len(axes):
        raise ArgumentError(
            "roll: the shifts do not fit the axes",
            expected=f"an int, or {len(axes)} of them",
            got=repr(shift),
            fix="give a shift for each axis",
        )
    for a, by in zip(axes, shifts, strict=True):
        node = _rolled(node, a, by)
    return node


def _as_shift(shift: Any) -> int:
    if isinstance(shift, bool) or not isinstance(shift, _INTS):
        raise ArgumentError(
            "roll: a shift must be static",
            expected="an int",
            got=repr(shift),
            fix="write the number; positions that are computed go to gc.take(x, positions, axis=0)",
        )
    return int(shift)


def _rolled(x: Tensor, axis: int, shift: int) -> Tensor:
    size = x.shape[axis]
    ahead = dims.mod(shift, dims.maximum(size, 1))  # how many of the last elements come first
    if ahead == 0:
        return x
    return concat([_part(x, axis, size - ahead, ahead), _part(x, axis, 0, size - ahead)], axis=axis)


# --- parts ------------------------------------------------------------------------------------------------


@public
def unstack(x: TensorLike, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices along an axis, as a tuple of tensors without that axis.

    Args:
        x: a tensor with axes.
        axis: an int; its size must be static.

    Raises:
        ShapeError: the tensor has no such axis, or its size is known only when the graph runs.
    """
    node = as_tensor(x)
    axis = normalise_axis(axis, node.ndim)
    size = node.shape[axis]
    if not isinstance(size, int):
        raise ShapeError(
            f"unstack: the size of axis {axis} must be static, as it says how many tensors there are",
            expected="an axis whose size is a number",
            got=str(node.type),
            fix="work on the whole axis at once: functions take axis=",
        )
    return tuple(node[(slice(None),) * axis + (position,)] for position in range(size))


@public
@rounded_once
def diff(
    x: TensorLike,
    /,
    *,
    axis: int = -1,
    n: int = 1,
    prepend: TensorLike | None = None,
    append: TensorLike | None = None,
) -> Tensor:
    """The differences of neighbours along an axis, taken `n` times.

    Args:
        x: numbers.
        axis: an int.
        n: how many times.
        prepend: what is put in front of x first: a tensor with as many axes, or a number.
        append: what is put behind x first, likewise.

    Raises:
        ArgumentError: n is no int >= 0.
    """
    node = as_tensor(x)
    axis = normalise_axis(axis, node.ndim)
    times: Any = n
    if isinstance(times, bool) or not isinstance(times, _INTS) or times < 0:
        raise ArgumentError(
            "diff: this cannot be how many times differences are taken",
            expected="an int >= 0",
            got=repr(n),
            fix="n=1 takes x[1:] - x[:-1], n=2 does it again with the result",
        )
    parts = [*_border(prepend, node, axis), node, *_border(append, node, axis)]
    node = concat(parts, axis=axis) if n else node
    for _ in range(n):
        count = dims.maximum(node.shape[axis] - 1, 0)
        node = subtract(_part(node, axis, node.shape[axis] - count, count), _part(node, axis, 0, count))
    return node


def _border(value: TensorLike | None, x: Tensor, axis: int) -> list[Tensor]:
    """What is joined to x: a tensor as it is, a number as one more element for each row of x."""
    if value is None:
        return []
    is_number = not isinstance(value, Tensor) and np.ndim(value) == 0
    node = convert(value, x.dtype) if is_number else as_tensor(value)
    return [broadcast_to(node, (*x.shape[:axis], 1, *x.shape[axis + 1 :])) if node.ndim == 0 else node]
